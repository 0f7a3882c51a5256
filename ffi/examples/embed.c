/* A broker, its client and its worker in one program, without a socket: prints `olleh`, and where others could reach it. */

#include <lineshaft.h>
#include <stdio.h>

static gearman_return_t reverse(gearman_job_st *job, void *context)
{
  const char *workload = gearman_job_workload(job);
  size_t size = gearman_job_workload_size(job);
  char *reversed = malloc(size + 1);
  (void)context;
  if (reversed == NULL)
    return GEARMAN_ERROR;
  for (size_t i = 0; i < size; i++)
    reversed[i] = workload[size - 1 - i];
  gearman_return_t rc = gearman_job_send_complete(job, reversed, size);
  free(reversed);
  return rc;
}

static gearman_return_t print(gearman_task_st *task)
{
  printf("%.*s\n", (int)gearman_task_data_size(task), (const char *)gearman_task_data(task));
  return GEARMAN_SUCCESS;
}

int main(void)
{
  char error[200];
  lineshaft_server *server = lineshaft_server_start("127.0.0.1:0", NULL, error, sizeof(error));
  if (server == NULL) {
    fprintf(stderr, "%s\n", error);
    return EXIT_FAILURE;
  }
  printf("listening on %s\n", lineshaft_server_address(server, 0));

  gearman_client_st *client = gearman_client_create(NULL);
  gearman_worker_st *worker = gearman_worker_create(NULL);
  lineshaft_client_add_broker(client, server);
  lineshaft_worker_add_broker(worker, server);
  gearman_worker_define_function(worker, "reverse", 7, gearman_function_create(reverse), 0, NULL);

  /* One thread does both, so neither may wait for the other. */
  gearman_client_add_options(client, GEARMAN_CLIENT_NON_BLOCKING);
  gearman_client_set_complete_fn(client, print);
  gearman_client_add_task(client, NULL, NULL, "reverse", NULL, "hello", 5, NULL);
  gearman_client_run_tasks(client);
  gearman_worker_work(worker);
  gearman_return_t rc = gearman_client_run_tasks(client);
  if (gearman_failed(rc))
    fprintf(stderr, "%s\n", gearman_strerror(rc));

  gearman_worker_free(worker);
  gearman_client_free(client);
  return lineshaft_server_stop(server, 1000) && gearman_success(rc) ? EXIT_SUCCESS : EXIT_FAILURE;
}
