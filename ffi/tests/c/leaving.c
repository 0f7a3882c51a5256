/* Callbacks that leave by longjmp: the objects they left through go on. */

#include "check.h"

#include <setjmp.h>

static jmp_buf back;
static int jumps;

static gearman_return_t jump_from_task(gearman_task_st *task) {
  (void)task;
  if (jumps++ == 0) {
    longjmp(back, 1);
  }
  return GEARMAN_SUCCESS;
}

static void from_a_task(void) {
  gearman_client_st *client = new_client();
  running worker;
  start(&worker, able_worker());
  gearman_client_set_created_fn(client, jump_from_task);
  CHECK(gearman_client_add_task(client, NULL, NULL, "reverse", NULL, "x", 1, NULL) != NULL);
  if (setjmp(back) == 0) {
    gearman_client_run_tasks(client);
    CHECK(!"it has come back by itself");
  }
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_run_tasks(client));
  CHECK(!gearman_client_has_active_tasks(client));
  stop(&worker);
  gearman_client_free(client);
}

static void *jump_from_function(gearman_job_st *job, void *context, size_t *result_size, gearman_return_t *ret) {
  (void)job;
  (void)context;
  (void)result_size;
  (void)ret;
  longjmp(back, 1);
}

/* Its job has failed, as its client hears with the next call. */
static void from_a_function(void) {
  gearman_client_st *client = new_client();
  gearman_worker_st *worker = new_worker();
  gearman_task_st *task;
  int times = 0;
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_add_function(worker, "jump", 0, jump_from_function, NULL));
  gearman_client_add_options(client, GEARMAN_CLIENT_NON_BLOCKING);
  task = gearman_client_add_task(client, NULL, NULL, "jump", NULL, "x", 1, NULL);
  while (gearman_client_run_tasks(client) == GEARMAN_IO_WAIT && gearman_task_job_handle(task)[0] == '\0') {
    CHECK_RC(GEARMAN_SUCCESS, gearman_client_wait(client));
  }
  if (setjmp(back) == 0) {
    gearman_worker_work(worker);
    CHECK(!"it has come back by itself");
  }
  CHECK(times++ == 0);
  gearman_worker_set_timeout(worker, 20);
  CHECK_RC(GEARMAN_TIMEOUT, gearman_worker_work(worker));
  gearman_client_remove_options(client, GEARMAN_CLIENT_NON_BLOCKING);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_run_tasks(client));
  CHECK_RC(GEARMAN_WORK_FAIL, gearman_task_return(task));
  gearman_worker_free(worker);
  gearman_client_free(client);
}

static void *jump_from_malloc(size_t size, void *context) {
  (void)context;
  if (jumps++ == 0) {
    longjmp(back, 1);
  }
  return malloc(size);
}

static void plain_free(void *memory, void *context) {
  (void)context;
  free(memory);
}

static void from_an_allocator(void) {
  gearman_client_st *client = new_client();
  running worker;
  gearman_return_t rc;
  char *result;
  jumps = 0;
  start(&worker, able_worker());
  gearman_client_set_workload_malloc_fn(client, jump_from_malloc, NULL);
  gearman_client_set_workload_free_fn(client, plain_free, NULL);
  if (setjmp(back) == 0) {
    gearman_client_do(client, "reverse", NULL, "abc", 3, NULL, &rc);
    CHECK(!"it has come back by itself");
  }
  result = (char *)gearman_client_do(client, "reverse", NULL, "def", 3, NULL, &rc);
  CHECK_RC(GEARMAN_SUCCESS, rc);
  CHECK(memcmp(result, "fed", 3) == 0);
  free(result);
  stop(&worker);
  gearman_client_free(client);
}

int main(int argc, char **argv) {
  brokers(argc, argv);
  from_a_task();
  from_a_function();
  from_an_allocator();
  return 0;
}
