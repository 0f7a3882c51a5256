/* The smallest pair of programs: a worker that reverses text, and a client that lets it.
 *
 * usage: reverse PORT worker          works until it gets SIGTERM, and ends after the job that it has
 *        reverse PORT client TEXT     prints the text reversed */

#include <libgearman/gearman.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gearman_id_t self;

static void on_terminate(int number)
{
  (void)number;
  gearman_kill(self, GEARMAN_INTERRUPT);
}

/* Gives its result back as memory of malloc(), which the library frees. */
static void *reverse(gearman_job_st *job, void *context, size_t *result_size, gearman_return_t *ret)
{
  const char *workload = gearman_job_workload(job);
  size_t size = gearman_job_workload_size(job);
  char *result = malloc(size + 1);
  (void)context;
  if (result == NULL) {
    *ret = GEARMAN_WORK_FAIL;
    return NULL;
  }
  for (size_t at = 0; at < size; at++)
    result[at] = workload[size - 1 - at];
  *result_size = size;
  *ret = GEARMAN_SUCCESS;
  return result;
}

static int work(in_port_t port)
{
  gearman_return_t rc;
  gearman_worker_st *worker = gearman_worker_create(NULL);
  gearman_worker_add_server(worker, "127.0.0.1", port);
  gearman_worker_add_function(worker, "reverse", 0, reverse, NULL);
  self = gearman_worker_id(worker);
  signal(SIGTERM, on_terminate);
  while (gearman_success(rc = gearman_worker_work(worker)))
    ;
  if (rc != GEARMAN_SHUTDOWN_GRACEFUL)
    fprintf(stderr, "%s\n", gearman_worker_error(worker));
  gearman_worker_free(worker);
  return rc == GEARMAN_SHUTDOWN_GRACEFUL ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int ask(in_port_t port, const char *text)
{
  size_t size;
  gearman_return_t rc;
  gearman_client_st *client = gearman_client_create(NULL);
  gearman_client_add_server(client, "127.0.0.1", port);
  gearman_client_set_timeout(client, 10000);
  char *result = gearman_client_do(client, "reverse", NULL, text, strlen(text), &size, &rc);
  if (gearman_success(rc))
    printf("%.*s\n", (int)size, result);
  else
    fprintf(stderr, "%s\n", gearman_client_error(client));
  free(result);
  gearman_client_free(client);
  return gearman_success(rc) ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
  if (argc == 3 && strcmp(argv[2], "worker") == 0)
    return work((in_port_t)atoi(argv[1]));
  if (argc == 4 && strcmp(argv[2], "client") == 0)
    return ask((in_port_t)atoi(argv[1]), argv[3]);
  fprintf(stderr, "usage: reverse PORT worker | reverse PORT client TEXT\n");
  return EXIT_FAILURE;
}
