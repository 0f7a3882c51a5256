/* Jobs: what they say of themselves, whose memory they have, and what their functions may do. */

#include "check.h"

static gearman_job_st *grab(gearman_worker_st *worker) {
  gearman_return_t rc;
  gearman_job_st *job = gearman_worker_grab_job(worker, NULL, &rc);
  CHECK_RC(GEARMAN_SUCCESS, rc);
  return job;
}

static void submit(const char *workload) {
  gearman_client_st *client = new_client();
  CHECK_RC(GEARMAN_SUCCESS,
           gearman_client_do_background(client, "shown", NULL, strlen(workload) == 0 ? NULL : workload, strlen(workload), NULL));
  gearman_client_free(client);
}

static void looks(void) {
  gearman_worker_st *worker = new_worker(), *copy;
  gearman_job_st *job;
  size_t size = 0;
  char *taken;
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_register(worker, "shown", 0));
  submit("hello");
  job = grab(worker);
  CHECK(job->options.is_allocated && job->options.is_initialized);
  CHECK(strncmp(gearman_job_handle(job), "H:", 2) == 0);
  CHECK_TEXT("shown", gearman_job_function_name(job));
  CHECK(strlen(gearman_job_unique(job)) == 36);
  CHECK_BYTES("hello", gearman_job_workload(job), gearman_job_workload_size(job));
  CHECK_TEXT("GEARMAN_UNKNOWN_STATE", gearman_job_error(job));
  taken = (char *)gearman_job_take_workload(job, &size);
  CHECK_BYTES("hello", taken, size);
  CHECK(gearman_job_workload(job) == NULL && gearman_job_workload_size(job) == 0);
  CHECK(gearman_job_take_workload(job, &size) == NULL && size == 0);
  free(taken);
  copy = gearman_job_clone_worker(job);
  CHECK(gearman_worker_function_exist(copy, "shown", 5));
  gearman_worker_free(copy);
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, gearman_job_send_exception(job, "", 0));
  CHECK_RC(GEARMAN_SUCCESS, gearman_job_send_fail(job));
  CHECK_RC(GEARMAN_SUCCESS, gearman_job_send_data(job, "late", 4));
  gearman_job_free(job);
  gearman_job_free(NULL);

  /* Without uniques, and with nothing to do. */
  gearman_worker_remove_options(worker, GEARMAN_WORKER_GRAB_UNIQ);
  submit("");
  job = grab(worker);
  CHECK_TEXT("", gearman_job_unique(job));
  CHECK(gearman_job_workload(job) == NULL && gearman_job_workload_size(job) == 0);
  CHECK_RC(GEARMAN_SUCCESS, gearman_job_send_complete(job, "", 0));
  gearman_job_free_all(worker);
  gearman_worker_free(worker);
}

/* A job whose connection is gone is another worker's. */
static void lost(void) {
  gearman_worker_st *worker = new_worker(), *other = new_worker();
  gearman_job_st *job, *again;
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_register(worker, "shown", 0));
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_register(other, "shown", 0));
  submit("hello");
  job = grab(worker);
  gearman_worker_remove_servers(worker);
  CHECK_RC(GEARMAN_LOST_CONNECTION, gearman_job_send_complete(job, "x", 1));
  CHECK(strstr(gearman_job_error(job), "GEARMAN_LOST_CONNECTION") != NULL);
  do {
    gearman_return_t rc;
    again = gearman_worker_grab_job(other, NULL, &rc);
    CHECK(again != NULL || rc == GEARMAN_NO_JOBS);
  } while (again == NULL);
  CHECK_BYTES("hello", gearman_job_workload(again), gearman_job_workload_size(again));
  CHECK_RC(GEARMAN_SUCCESS, gearman_job_send_complete(again, NULL, 0));
  /* What the program has not freed goes with the worker. */
  gearman_worker_free(other);
  gearman_worker_free(worker);
}

static int blocks;

static void *allocate(size_t size, void *context) {
  CHECK(context == &blocks);
  blocks++;
  return malloc(size);
}

static void release(void *memory, void *context) {
  CHECK(context == &blocks);
  blocks--;
  free(memory);
}

static void *own_result(gearman_job_st *job, void *context, size_t *result_size, gearman_return_t *ret) {
  char *result = (char *)allocate(3, &blocks);
  (void)job;
  (void)context;
  memcpy(result, "own", 3);
  *result_size = 3;
  *ret = GEARMAN_SUCCESS;
  return result;
}

static void memory_of_the_program(void) {
  gearman_worker_st *worker = new_worker();
  gearman_job_st *job;
  void *taken;
  size_t size;
  gearman_worker_set_workload_malloc_fn(worker, allocate, &blocks);
  gearman_worker_set_workload_free_fn(worker, release, &blocks);
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_register(worker, "shown", 0));
  submit("hello");
  job = grab(worker);
  CHECK(blocks == 1);
  CHECK_BYTES("hello", gearman_job_workload(job), gearman_job_workload_size(job));
  taken = gearman_job_take_workload(job, &size);
  CHECK(blocks == 1 && size == 5);
  release(taken, &blocks);
  CHECK_RC(GEARMAN_SUCCESS, gearman_job_send_complete(job, NULL, 0));
  gearman_job_free(job);
  CHECK(blocks == 0);
  submit("bye");
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_add_function(worker, "shown", 0, own_result, NULL));
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_work(worker));
  CHECK(blocks == 0);
  CHECK_RC(GEARMAN_FATAL, gearman_worker_set_memory_allocators(worker, allocate, NULL, NULL, NULL, NULL));
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_set_memory_allocators(worker, NULL, NULL, NULL, NULL, NULL));
  gearman_worker_free(worker);
}

/* A function that lets another function do the work. */
static void *ask_another(gearman_job_st *job, void *context, size_t *result_size, gearman_return_t *ret) {
  gearman_client_st *client = gearman_job_use_client(job);
  (void)context;
  CHECK(client != NULL && client == gearman_job_use_client(job));
  return gearman_client_do(client, "reverse", NULL, gearman_job_workload(job), gearman_job_workload_size(job), result_size, ret);
}

static void jobs_of_jobs(void) {
  gearman_worker_st *worker = new_worker();
  gearman_client_st *client = new_client();
  running first, second;
  size_t size;
  gearman_return_t rc;
  char *result;
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_add_function(worker, "outer", 0, ask_another, NULL));
  start(&first, worker);
  start(&second, able_worker());
  result = (char *)gearman_client_do(client, "outer", NULL, "abc", 3, &size, &rc);
  CHECK_RC(GEARMAN_SUCCESS, rc);
  CHECK_BYTES("cba", result, size);
  free(result);
  stop(&second);
  stop(&first);
  gearman_client_free(client);
}

static void large(void) {
  gearman_client_st *client = new_client();
  size_t size = 4 << 20, result_size;
  char *workload = (char *)malloc(size), *result;
  gearman_return_t rc;
  running worker;
  for (size_t at = 0; at < size; at++) {
    workload[at] = (char)(at % 251);
  }
  start(&worker, able_worker());
  result = (char *)gearman_client_do(client, "reverse", NULL, workload, size, &result_size, &rc);
  CHECK_RC(GEARMAN_SUCCESS, rc);
  CHECK(result_size == size && result[0] == workload[size - 1] && result[size - 1] == workload[0]);
  free(result);
  free(workload);
  stop(&worker);
  gearman_client_free(client);
}

int main(int argc, char **argv) {
  brokers(argc, argv);
  looks();
  lost();
  memory_of_the_program();
  jobs_of_jobs();
  large();
  return 0;
}
