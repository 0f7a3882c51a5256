/* A long job that tells how far it has come: counting sheep.
 *
 * usage: sheepcount PORT worker
 *        sheepcount PORT client SHEEP */

#include <libgearman/gearman.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sends its results itself. */
static gearman_return_t count(gearman_job_st *job, void *context)
{
  char text[32] = "";
  size_t size = gearman_job_workload_size(job);
  (void)context;
  if (size == 0 || size >= sizeof(text))
    return GEARMAN_FATAL;
  memcpy(text, gearman_job_workload(job), size);
  unsigned sheep = (unsigned)strtoul(text, NULL, 10);
  for (unsigned counted = 1; counted <= sheep; counted++) {
    if (counted % 13 == 0)
      gearman_job_send_warning(job, "a black one", 11);
    if (gearman_failed(gearman_job_send_status(job, counted, sheep)))
      return GEARMAN_ERROR; /* The server has been lost; it gives the job to somebody else. */
  }
  int length = snprintf(text, sizeof(text), "%u sheep", sheep);
  return gearman_job_send_complete(job, text, (size_t)length);
}

static int work(in_port_t port)
{
  gearman_return_t rc;
  gearman_worker_st *worker = gearman_worker_create(NULL);
  gearman_worker_add_server(worker, "127.0.0.1", port);
  gearman_worker_define_function(worker, "sheepcount", 10, gearman_function_create(count), 0, NULL);
  while (gearman_success(rc = gearman_worker_work(worker)))
    ;
  fprintf(stderr, "%s\n", gearman_worker_error(worker));
  gearman_worker_free(worker);
  return EXIT_FAILURE;
}

static gearman_return_t progress(gearman_task_st *task)
{
  printf("%u of %u\n", gearman_task_numerator(task), gearman_task_denominator(task));
  return GEARMAN_SUCCESS;
}

static gearman_return_t warning(gearman_task_st *task)
{
  printf("%.*s\n", (int)gearman_task_data_size(task), (const char *)gearman_task_data(task));
  return GEARMAN_SUCCESS;
}

static gearman_return_t complete(gearman_task_st *task)
{
  printf("%.*s\n", (int)gearman_task_data_size(task), (const char *)gearman_task_data(task));
  return GEARMAN_SUCCESS;
}

static int ask(in_port_t port, const char *sheep)
{
  gearman_client_st *client = gearman_client_create(NULL);
  gearman_client_add_server(client, "127.0.0.1", port);
  gearman_client_set_timeout(client, 10000);
  gearman_client_set_status_fn(client, progress);
  gearman_client_set_warning_fn(client, warning);
  gearman_client_set_complete_fn(client, complete);
  gearman_task_st *task =
      gearman_client_add_task(client, NULL, NULL, "sheepcount", NULL, sheep, strlen(sheep), NULL);
  gearman_return_t rc = gearman_client_run_tasks(client);
  if (gearman_success(rc))
    rc = gearman_task_return(task);
  if (gearman_failed(rc))
    fprintf(stderr, "%s\n", gearman_strerror(rc));
  gearman_client_free(client);
  return gearman_success(rc) ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
  if (argc == 3 && strcmp(argv[2], "worker") == 0)
    return work((in_port_t)atoi(argv[1]));
  if (argc == 4 && strcmp(argv[2], "client") == 0)
    return ask((in_port_t)atoi(argv[1]), argv[3]);
  fprintf(stderr, "usage: sheepcount PORT worker | sheepcount PORT client SHEEP\n");
  return EXIT_FAILURE;
}
