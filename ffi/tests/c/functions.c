/* How a worker gets and loses functions, grabs jobs, and what a function's answer makes of its job. */

#include "check.h"

/* A function that answers what its context says. */
static void *answer_v1(gearman_job_st *job, void *context, size_t *result_size, gearman_return_t *ret) {
  (void)job;
  *result_size = 0;
  *ret = *(gearman_return_t *)context;
  return NULL;
}

static gearman_return_t answer_v2(gearman_job_st *job, void *context) {
  (void)job;
  return *(gearman_return_t *)context;
}

static void objects(void) {
  gearman_function_t v1 = gearman_function_create_v1(answer_v1);
  gearman_function_t v2 = gearman_function_create_v2(answer_v2);
  gearman_function_t plain = gearman_function_create(answer_v2);
  gearman_function_t partition = gearman_function_create_partition(answer_v2, NULL);
  CHECK(v1.kind == GEARMAN_WORKER_FUNCTION_V1 && v1.callback.function_v1.func == answer_v1);
  CHECK(v2.kind == GEARMAN_WORKER_FUNCTION_V2 && v2.callback.function_v2.func == answer_v2);
  CHECK(plain.kind == GEARMAN_WORKER_FUNCTION_V2);
  CHECK(partition.kind == GEARMAN_WORKER_FUNCTION_PARTITION && partition.callback.partitioner.aggregator == NULL);
}

static void registration(void) {
  gearman_worker_st *worker = new_worker();
  char name[514];
  memset(name, 'n', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, gearman_worker_add_function(worker, NULL, 0, reverse, NULL));
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, gearman_worker_add_function(worker, "", 0, reverse, NULL));
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, gearman_worker_add_function(worker, "f", 0, NULL, NULL));
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, gearman_worker_add_function(worker, name, 0, reverse, NULL));
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_add_function(worker, name + 1, 0, reverse, NULL));
  CHECK_RC(GEARMAN_INVALID_ARGUMENT,
           gearman_worker_define_function(worker, "f", 1, gearman_function_create(NULL), 0, NULL));
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_register(worker, "f", 7));
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, gearman_worker_register(worker, NULL, 0));
  CHECK((gearman_worker_options(worker) & GEARMAN_WORKER_CHANGE) != 0);
  CHECK(gearman_worker_function_exist(worker, "f", 1) && !gearman_worker_function_exist(worker, "g", 1));
  /* The second of a name takes the place of the first. */
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_add_function(worker, "f", 0, reverse, NULL));
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_unregister(worker, "f"));
  CHECK_RC(GEARMAN_NO_REGISTERED_FUNCTION, gearman_worker_unregister(worker, "f"));
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, gearman_worker_unregister(worker, NULL));
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_unregister_all(worker));
  CHECK_RC(GEARMAN_NO_REGISTERED_FUNCTIONS, gearman_worker_unregister_all(worker));
  gearman_worker_free(worker);
}

static void submit(const char *function) {
  gearman_client_st *client = new_client();
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_do_background(client, function, NULL, "x", 1, NULL));
  gearman_client_free(client);
}

/* A new function is announced even where the worker sleeps, a lost one is taken back. */
static void changes(void) {
  gearman_worker_st *worker = new_worker();
  gearman_return_t success = GEARMAN_SUCCESS;
  gearman_worker_set_timeout(worker, 20);
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_add_function(worker, "idle", 0, answer_v1, &success));
  submit("later");
  CHECK_RC(GEARMAN_TIMEOUT, gearman_worker_work(worker));
  CHECK((gearman_worker_options(worker) & GEARMAN_WORKER_CHANGE) == 0);
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_add_function(worker, "later", 0, answer_v1, &success));
  gearman_worker_set_timeout(worker, PATIENCE);
  CHECK((gearman_worker_options(worker) & GEARMAN_WORKER_CHANGE) != 0);
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_work(worker));
  CHECK((gearman_worker_options(worker) & GEARMAN_WORKER_CHANGE) == 0);
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_unregister(worker, "later"));
  submit("later");
  gearman_worker_set_timeout(worker, 20);
  CHECK_RC(GEARMAN_TIMEOUT, gearman_worker_work(worker));
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_unregister_all(worker));
  CHECK_RC(GEARMAN_NO_REGISTERED_FUNCTIONS, gearman_worker_work(worker));
  gearman_worker_set_timeout(worker, PATIENCE);
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_add_function(worker, "later", 0, answer_v1, &success));
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_work(worker));
  gearman_worker_free(worker);
}

/* What a function answers, what the call then answers, whether the next call does nothing, and whether the job is done. */
typedef struct row {
  int version;
  gearman_return_t answer, call;
  bool pause, done;
} row;

static void answers(void) {
  static const row rows[] = {
      {1, GEARMAN_SUCCESS, GEARMAN_SUCCESS, false, true},
      {1, GEARMAN_SHUTDOWN, GEARMAN_SHUTDOWN, false, true},
      {1, GEARMAN_WORK_FAIL, GEARMAN_WORK_FAIL, true, true},
      {1, GEARMAN_TIMEOUT, GEARMAN_TIMEOUT, true, true},
      {1, GEARMAN_LOST_CONNECTION, GEARMAN_SUCCESS, false, false},
      {2, GEARMAN_SUCCESS, GEARMAN_SUCCESS, false, true},
      {2, GEARMAN_SHUTDOWN, GEARMAN_SHUTDOWN, false, true},
      {2, GEARMAN_FATAL, GEARMAN_WORK_FAIL, true, true},
      {2, GEARMAN_WORK_EXCEPTION, GEARMAN_WORK_FAIL, true, true},
      {2, GEARMAN_ERROR, GEARMAN_SUCCESS, false, false},
      {2, GEARMAN_TIMEOUT, GEARMAN_SUCCESS, false, false},
  };
  for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
    gearman_worker_st *worker = new_worker();
    gearman_return_t context = rows[at].answer;
    char name[32];
    snprintf(name, sizeof name, "answer-%zu", at);
    submit(name);
    if (rows[at].version == 1) {
      CHECK_RC(GEARMAN_SUCCESS, gearman_worker_add_function(worker, name, 0, answer_v1, &context));
    } else {
      CHECK_RC(GEARMAN_SUCCESS,
               gearman_worker_define_function(worker, name, strlen(name), gearman_function_create_v2(answer_v2), 0, &context));
    }
    CHECK_RC(rows[at].call, gearman_worker_work(worker));
    if (rows[at].pause) {
      CHECK_RC(GEARMAN_SUCCESS, gearman_worker_work(worker));
    }
    /* A job that was given back comes again. */
    context = GEARMAN_SUCCESS;
    gearman_worker_set_timeout(worker, rows[at].done ? 20 : PATIENCE);
    CHECK_RC(rows[at].done ? GEARMAN_TIMEOUT : GEARMAN_SUCCESS, gearman_worker_work(worker));
    gearman_worker_free(worker);
  }
}

static void grabbing(void) {
  gearman_worker_st *worker = new_worker();
  gearman_return_t rc;
  gearman_job_st *job;
  gearman_job_st never;
  gearman_worker_set_timeout(worker, PATIENCE);
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_register(worker, "grabbed", 0));
  CHECK(gearman_worker_grab_job(worker, NULL, &rc) == NULL);
  CHECK_RC(GEARMAN_NO_JOBS, rc);
  CHECK(gearman_worker_grab_job(worker, &never, &rc) == NULL);
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, rc);
  submit("grabbed");
  submit("grabbed");
  job = gearman_worker_grab_job(worker, NULL, &rc);
  CHECK_RC(GEARMAN_SUCCESS, rc);
  CHECK_RC(GEARMAN_SUCCESS, gearman_job_send_complete(job, NULL, 0));
  gearman_job_free(job);
  /* Nothing to call for it. */
  CHECK_RC(GEARMAN_INVALID_FUNCTION_NAME, gearman_worker_work(worker));
  gearman_worker_free(worker);
}

static void without_blocking(void) {
  gearman_worker_st *worker = new_worker();
  gearman_return_t rc, success = GEARMAN_SUCCESS;
  int done = 0;
  gearman_worker_add_options(worker, GEARMAN_WORKER_NON_BLOCKING);
  gearman_worker_set_timeout(worker, PATIENCE);
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_add_function(worker, "stepped", 0, answer_v1, &success));
  while ((rc = gearman_worker_work(worker)) == GEARMAN_IO_WAIT) {
    CHECK_RC(GEARMAN_SUCCESS, gearman_worker_wait(worker));
  }
  CHECK_RC(GEARMAN_NO_JOBS, rc);
  submit("stepped");
  submit("stepped");
  while (done < 2) {
    rc = gearman_worker_work(worker);
    if (rc == GEARMAN_IO_WAIT || rc == GEARMAN_NO_JOBS) {
      CHECK_RC(GEARMAN_SUCCESS, gearman_worker_wait(worker));
    } else {
      CHECK_RC(GEARMAN_SUCCESS, rc);
      done++;
    }
  }
  gearman_worker_free(worker);
}

int main(int argc, char **argv) {
  brokers(argc, argv);
  objects();
  registration();
  changes();
  answers();
  grabbing();
  without_blocking();
  return 0;
}
