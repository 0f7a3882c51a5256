/* A load through libgearman, the same for every library that it is linked with; see compare.py.
 *
 * usage: load PORT worker JOBS
 *        load PORT do|background|tasks JOBS
 *
 * Prints jobs, seconds and seconds of CPU time of this process, from the end of a warm-up to the end. */

#include <libgearman/gearman.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WORKLOAD = 100, AT_ONCE = 32, WARM_UP = 320 };

static char workload[WORKLOAD];

static double seconds(clockid_t clock)
{
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void give_up(const char *what)
{
  fprintf(stderr, "%s\n", what == NULL ? "no reason" : what);
  exit(EXIT_FAILURE);
}

static void *echo(gearman_job_st *job, void *context, size_t *size, gearman_return_t *ret)
{
  (void)context;
  *size = gearman_job_workload_size(job);
  *ret = GEARMAN_SUCCESS;
  char *result = malloc(*size + 1);
  memcpy(result, gearman_job_workload(job), *size);
  return result;
}

static void one(gearman_worker_st *worker)
{
  if (gearman_failed(gearman_worker_work(worker)))
    give_up(gearman_worker_error(worker));
}

static void submit(gearman_client_st *client, const char *kind)
{
  gearman_return_t rc = GEARMAN_SUCCESS;
  switch (*kind) {
  case 'd':
    free(gearman_client_do(client, "bench", NULL, workload, WORKLOAD, NULL, &rc));
    break;
  case 'b':
    rc = gearman_client_do_background(client, "bench", NULL, workload, WORKLOAD, NULL);
    break;
  default:
    for (int at = 0; at < AT_ONCE && gearman_success(rc); at++)
      gearman_client_add_task(client, NULL, NULL, "bench", NULL, workload, WORKLOAD, &rc);
    if (gearman_success(rc))
      rc = gearman_client_run_tasks(client);
  }
  if (gearman_failed(rc))
    give_up(gearman_client_error(client));
}

int main(int argc, char **argv)
{
  if (argc != 4)
    give_up("usage: load PORT worker|do|background|tasks JOBS");
  in_port_t port = (in_port_t)atoi(argv[1]);
  long jobs = atol(argv[3]), step = 1;
  double wall = 0, cpu = 0;
  memset(workload, 'w', WORKLOAD);
  if (strcmp(argv[2], "worker") == 0) {
    gearman_worker_st *worker = gearman_worker_create(NULL);
    gearman_worker_add_server(worker, "127.0.0.1", port);
    gearman_worker_add_function(worker, "bench", 0, echo, NULL);
    for (long done = 0; done < WARM_UP; done++)
      one(worker);
    wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (long done = 0; done < jobs; done++)
      one(worker);
    wall = seconds(CLOCK_MONOTONIC) - wall, cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    gearman_worker_free(worker);
  } else {
    gearman_client_st *client = gearman_client_create(NULL);
    gearman_client_add_server(client, "127.0.0.1", port);
    gearman_client_add_options(client, GEARMAN_CLIENT_FREE_TASKS);
    step = *argv[2] == 't' ? AT_ONCE : 1;
    for (long done = 0; done < WARM_UP; done += step)
      submit(client, argv[2]);
    wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (long done = 0; done < jobs; done += step)
      submit(client, argv[2]);
    wall = seconds(CLOCK_MONOTONIC) - wall, cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    gearman_client_free(client);
  }
  printf("%ld %f %f\n", jobs, wall, cpu);
  return EXIT_SUCCESS;
}
