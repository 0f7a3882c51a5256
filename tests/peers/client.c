/* A client that stands on libgearman, compiled against the headers of Debian's. Usage and output are those of client.pl. */

#include <libgearman/gearman.h>
#include <stdio.h>
#include <string.h>

static bool wants_exceptions;
static bool ended;

static void say(const char *event, const void *data, size_t size)
{
  printf("%s ", event);
  for (size_t i = 0; i < size; i++)
    printf("%02x", ((const unsigned char *)data)[i]);
  printf("\n");
  fflush(stdout);
}

static void say_data(const char *event, gearman_task_st *task)
{
  say(event, gearman_task_data(task), gearman_task_data_size(task));
}

static gearman_return_t created(gearman_task_st *task)
{
  printf("created %s\n", gearman_task_job_handle(task));
  fflush(stdout);
  return GEARMAN_SUCCESS;
}

static gearman_return_t data(gearman_task_st *task)
{
  say_data("data", task);
  return GEARMAN_SUCCESS;
}

static gearman_return_t warning(gearman_task_st *task)
{
  say_data("warning", task);
  return GEARMAN_SUCCESS;
}

static gearman_return_t status(gearman_task_st *task)
{
  printf("progress %u %u\n", gearman_task_numerator(task), gearman_task_denominator(task));
  fflush(stdout);
  return GEARMAN_SUCCESS;
}

static gearman_return_t complete(gearman_task_st *task)
{
  say_data("complete", task);
  ended = true;
  return GEARMAN_SUCCESS;
}

static gearman_return_t fail(gearman_task_st *task)
{
  (void)task;
  say("fail", NULL, 0);
  ended = true;
  return GEARMAN_SUCCESS;
}

static gearman_return_t exception(gearman_task_st *task)
{
  if (!wants_exceptions)
    return fail(task);
  say_data("exception", task);
  ended = true;
  return GEARMAN_SUCCESS;
}

static int complain(gearman_client_st *client, gearman_return_t rc)
{
  const char *error = gearman_client_error(client);
  fprintf(stderr, "%s: %s\n", gearman_strerror(rc), error ? error : "");
  return EXIT_FAILURE;
}

/* All of the standard input. */
static char *read_all(size_t *size)
{
  size_t room = 1 << 16;
  char *all = malloc(room);
  *size = 0;
  for (size_t count; (count = fread(all + *size, 1, room - *size, stdin)) > 0;) {
    *size += count;
    if (*size == room)
      all = realloc(all, room *= 2);
  }
  return all;
}

int main(int argc, char **argv)
{
  /* In memory of the program's own, as many programs have it. */
  gearman_client_st client;
  gearman_return_t rc;
  if (argc < 4 || gearman_client_create(&client) == NULL)
    return EXIT_FAILURE;
  gearman_client_set_timeout(&client, 60000);
  rc = gearman_client_add_server(&client, "127.0.0.1", (in_port_t)atoi(argv[1]));
  if (gearman_failed(rc))
    return complain(&client, rc);

  if (strcmp(argv[2], "status") == 0) {
    bool is_known, is_running;
    uint32_t numerator, denominator;
    rc = gearman_client_job_status(&client, argv[3], &is_known, &is_running, &numerator, &denominator);
    if (gearman_failed(rc))
      return complain(&client, rc);
    printf("status %d %d %u %u\n", is_known, is_running, numerator, denominator);
    gearman_client_free(&client);
    return EXIT_SUCCESS;
  }

  const char *function = argv[3], *unique = NULL, *priority = "";
  bool background = false;
  for (int i = 4; i < argc; i++) {
    if (strncmp(argv[i], "unique=", 7) == 0)
      unique = argv[i] + 7;
    else if (strncmp(argv[i], "priority=", 9) == 0)
      priority = argv[i] + 9;
    else if (strcmp(argv[i], "background") == 0)
      background = true;
    else
      wants_exceptions = true;
  }
  size_t size;
  char *workload = read_all(&size);
  const char *sent = size ? workload : NULL;

  if (background) {
    gearman_job_handle_t handle;
    switch (priority[0]) {
    case 'h':
      rc = gearman_client_do_high_background(&client, function, unique, sent, size, handle);
      break;
    case 'l':
      rc = gearman_client_do_low_background(&client, function, unique, sent, size, handle);
      break;
    default:
      rc = gearman_client_do_background(&client, function, unique, sent, size, handle);
    }
    if (gearman_failed(rc))
      return complain(&client, rc);
    printf("created %s\n", handle);
  } else {
    if (wants_exceptions && !gearman_client_set_server_option(&client, "exceptions", 10))
      return complain(&client, gearman_client_error_code(&client));
    gearman_client_set_created_fn(&client, created);
    gearman_client_set_data_fn(&client, data);
    gearman_client_set_warning_fn(&client, warning);
    gearman_client_set_status_fn(&client, status);
    gearman_client_set_complete_fn(&client, complete);
    gearman_client_set_exception_fn(&client, exception);
    gearman_client_set_fail_fn(&client, fail);
    gearman_client_add_options(&client, GEARMAN_CLIENT_NON_BLOCKING);
    gearman_client_add_options(&client, GEARMAN_CLIENT_FREE_TASKS);
    switch (priority[0]) {
    case 'h':
      gearman_client_add_task_high(&client, NULL, NULL, function, unique, sent, size, &rc);
      break;
    case 'l':
      gearman_client_add_task_low(&client, NULL, NULL, function, unique, sent, size, &rc);
      break;
    default:
      gearman_client_add_task(&client, NULL, NULL, function, unique, sent, size, &rc);
    }
    if (gearman_failed(rc))
      return complain(&client, rc);
    while ((rc = gearman_client_run_tasks(&client)) == GEARMAN_IO_WAIT)
      if (gearman_failed(rc = gearman_client_wait(&client)))
        return complain(&client, rc);
    if (gearman_failed(rc) || !ended)
      return complain(&client, rc);
  }
  free(workload);
  gearman_client_free(&client);
  return EXIT_SUCCESS;
}
