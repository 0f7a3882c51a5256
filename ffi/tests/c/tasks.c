/* Tasks: many jobs at once, their callbacks, and what can be asked of them. */

#include "check.h"

/* What callbacks have been called, a letter each. */
static char seen[256];

static void note(char letter) {
  size_t size = strlen(seen);
  CHECK(size + 1 < sizeof seen);
  seen[size] = letter;
  seen[size + 1] = '\0';
}

static gearman_return_t created(gearman_task_st *task) {
  note('c');
  CHECK(gearman_task_job_handle(task)[0] != '\0');
  CHECK(gearman_task_is_known(task) && !gearman_task_is_finished(task));
  CHECK_TEXT("GEARMAN_TASK_STATE_CREATED", gearman_task_strstate(task));
  return GEARMAN_SUCCESS;
}

static gearman_return_t data(gearman_task_st *task) {
  note('d');
  CHECK(gearman_task_is_running(task));
  CHECK(gearman_task_data_size(task) == 4);
  CHECK(memcmp(gearman_task_data(task), "one,", 4) == 0 || memcmp(gearman_task_data(task), "two,", 4) == 0);
  return GEARMAN_SUCCESS;
}

static gearman_return_t warning(gearman_task_st *task) {
  note('w');
  CHECK_BYTES("careful", gearman_task_data(task), gearman_task_data_size(task));
  return GEARMAN_SUCCESS;
}

static gearman_return_t status(gearman_task_st *task) {
  note('s');
  CHECK(gearman_task_numerator(task) == 1 && gearman_task_denominator(task) == 4);
  return GEARMAN_SUCCESS;
}

static gearman_return_t complete(gearman_task_st *task) {
  size_t size = 0;
  void *taken;
  note('C');
  CHECK_RC(GEARMAN_SUCCESS, gearman_task_return(task));
  CHECK(!gearman_task_is_known(task) && !gearman_task_is_running(task));
  CHECK(gearman_task_error(task) == NULL);
  taken = gearman_task_take_data(task, &size);
  CHECK((taken != NULL) == (size > 0));
  CHECK(gearman_task_data(task) == NULL);
  free(taken);
  return GEARMAN_SUCCESS;
}

static gearman_return_t exception(gearman_task_st *task) {
  note('E');
  CHECK_BYTES("boom", gearman_task_data(task), gearman_task_data_size(task));
  return GEARMAN_SUCCESS;
}

static gearman_return_t failure(gearman_task_st *task) {
  note('F');
  CHECK_RC(GEARMAN_WORK_FAIL, gearman_task_return(task));
  return GEARMAN_SUCCESS;
}

static void context_free(gearman_task_st *task, void *context) {
  CHECK(task != NULL);
  ++*(int *)context;
}

static gearman_client_st *listening_client(void) {
  gearman_client_st *client = new_client();
  gearman_client_set_created_fn(client, created);
  gearman_client_set_data_fn(client, data);
  gearman_client_set_warning_fn(client, warning);
  gearman_client_set_status_fn(client, status);
  gearman_client_set_complete_fn(client, complete);
  gearman_client_set_exception_fn(client, exception);
  gearman_client_set_fail_fn(client, failure);
  gearman_client_set_task_context_free_fn(client, context_free);
  seen[0] = '\0';
  return client;
}

static void run_one(gearman_client_st *client, const char *function, const char *expected) {
  gearman_return_t rc;
  gearman_task_st *task;
  seen[0] = '\0';
  task = gearman_client_add_task(client, NULL, NULL, function, NULL, "x", 1, &rc);
  CHECK(task != NULL);
  CHECK_RC(GEARMAN_SUCCESS, rc);
  CHECK(gearman_client_has_tasks(client) && gearman_client_has_active_tasks(client));
  CHECK_RC(GEARMAN_UNKNOWN_STATE, gearman_task_return(task));
  CHECK_TEXT("", gearman_task_job_handle(task));
  CHECK(strlen(gearman_task_unique(task)) == 36);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_run_tasks(client));
  CHECK_TEXT(expected, seen);
  CHECK_TEXT(function, gearman_task_function_name(task));
  CHECK(gearman_task_is_finished(task) && !gearman_client_has_active_tasks(client));
  CHECK_TEXT("GEARMAN_TASK_STATE_FINISHED", gearman_task_strstate(task));
  CHECK(gearman_task_result(task) == NULL);
  gearman_task_free(task);
  CHECK(!gearman_client_has_tasks(client));
}

static void callbacks(void) {
  gearman_client_st *client = listening_client();
  running worker;
  start(&worker, able_worker());
  run_one(client, "reverse", "cC");
  run_one(client, "chatter", "cdwsdC");
  run_one(client, "fail", "cF");
  run_one(client, "throw", "cF");
  CHECK(gearman_client_set_server_option(client, "exceptions", 10));
  run_one(client, "throw", "cE");
  gearman_client_clear_fn(client);
  run_one(client, "chatter", "");
  stop(&worker);
  gearman_client_free(client);
}

static void exceptions_stay(void) {
  gearman_client_st *client = new_client();
  running worker;
  gearman_task_st *task;
  CHECK(gearman_client_set_server_option(client, "exceptions", 10));
  start(&worker, able_worker());
  task = gearman_client_add_task(client, NULL, NULL, "throw", NULL, "x", 1, NULL);
  CHECK(!gearman_task_has_exception(task) && gearman_task_exception(task).c_str == NULL);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_run_tasks(client));
  CHECK_RC(GEARMAN_WORK_EXCEPTION, gearman_task_return(task));
  CHECK(gearman_task_has_exception(task));
  {
    gearman_string_t text = gearman_task_exception(task);
    CHECK_BYTES("boom", text.c_str, text.size);
  }
  CHECK_TEXT("GEARMAN_WORK_EXCEPTION", gearman_task_error(task));
  stop(&worker);
  gearman_client_free(client);
}

typedef gearman_task_st *(add)(gearman_client_st *, gearman_task_st *, void *, const char *, const char *, const void *,
                               size_t, gearman_return_t *);

static void every_kind(void) {
  add *const kinds[] = {gearman_client_add_task,
                        gearman_client_add_task_high,
                        gearman_client_add_task_low,
                        gearman_client_add_task_background,
                        gearman_client_add_task_high_background,
                        gearman_client_add_task_low_background};
  gearman_client_st *client = listening_client();
  gearman_task_st own[6];
  int freed = 0;
  running worker;
  start(&worker, able_worker());
  memset(own, 0xa5, sizeof own);
  for (size_t kind = 0; kind < 6; kind++) {
    CHECK(kinds[kind](client, &own[kind], &freed, "reverse", "#", kind % 2 ? "ab" : "xy", 2, NULL) == &own[kind]);
    CHECK(!own[kind].options.is_allocated && gearman_task_context(&own[kind]) == &freed);
  }
  CHECK(gearman_next(&own[0]) == &own[1] && gearman_next(&own[5]) == NULL);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_run_tasks(client));
  for (size_t kind = 0; kind < 6; kind++) {
    CHECK_RC(GEARMAN_SUCCESS, gearman_task_return(&own[kind]));
  }
  gearman_task_free(&own[0]);
  gearman_task_free(&own[0]);
  CHECK(freed == 1);
  gearman_task_set_context(&own[1], NULL);
  gearman_client_task_free_all(client);
  CHECK(freed == 5 && !gearman_client_has_tasks(client));
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_run_tasks(client));

  gearman_client_add_options(client, GEARMAN_CLIENT_FREE_TASKS);
  CHECK(gearman_client_add_task(client, NULL, &freed, "reverse", NULL, "x", 1, NULL) != NULL);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_run_tasks(client));
  CHECK(freed == 6 && !gearman_client_has_tasks(client));
  stop(&worker);
  gearman_client_free(client);
}

static void refusals(void) {
  gearman_client_st *client = new_client();
  gearman_return_t rc = GEARMAN_SUCCESS;
  CHECK(gearman_client_add_task(client, NULL, NULL, NULL, NULL, "x", 1, &rc) == NULL);
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, rc);
  CHECK(gearman_client_add_task(client, NULL, NULL, "f", NULL, NULL, 1, &rc) == NULL);
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, rc);
  CHECK(gearman_client_add_task_status(client, NULL, NULL, NULL, &rc) == NULL);
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, rc);
  CHECK(gearman_client_add_task_status_by_unique(client, NULL, NULL, &rc) == NULL);
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, rc);
  CHECK(gearman_client_add_task(NULL, NULL, NULL, "f", NULL, "x", 1, &rc) == NULL);
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, rc);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_run_tasks(client));
  gearman_client_remove_servers(client);
  CHECK(gearman_client_add_task(client, NULL, NULL, "f", NULL, "x", 1, NULL) != NULL);
  CHECK_RC(GEARMAN_NO_SERVERS, gearman_client_run_tasks(client));
  gearman_client_free(client);
}

static int status_answers;

static gearman_return_t status_answer(gearman_task_st *task) {
  status_answers++;
  CHECK(gearman_task_is_known(task) == (gearman_task_context(task) == NULL));
  CHECK(!gearman_task_is_running(task));
  return GEARMAN_SUCCESS;
}

static void status_tasks(void) {
  gearman_client_st *client = new_client();
  gearman_job_handle_t handle;
  gearman_client_set_status_fn(client, status_answer);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_do_background(client, "nobody", "asked", "x", 1, handle));
  CHECK(gearman_client_add_task_status(client, NULL, NULL, handle, NULL) != NULL);
  CHECK(gearman_client_add_task_status(client, NULL, client, "H:nowhere:1", NULL) != NULL);
  CHECK(gearman_client_add_task_status_by_unique(client, NULL, "asked", NULL) != NULL);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_run_tasks(client));
  CHECK(status_answers == 3);
  gearman_client_free(client);
}

static int pauses;

static gearman_return_t pause_once(gearman_task_st *task) {
  CHECK(gearman_task_job_handle(task)[0] != '\0');
  return pauses++ == 0 ? GEARMAN_PAUSE : GEARMAN_SUCCESS;
}

/* A callback that does not answer GEARMAN_SUCCESS stops the run, and is called again in the next one. */
static void pausing(void) {
  gearman_client_st *client = new_client();
  running worker;
  start(&worker, able_worker());
  gearman_client_set_created_fn(client, pause_once);
  CHECK(gearman_client_add_task(client, NULL, NULL, "reverse", NULL, "x", 1, NULL) != NULL);
  CHECK_RC(GEARMAN_PAUSE, gearman_client_run_tasks(client));
  CHECK(pauses == 1);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_run_tasks(client));
  CHECK(pauses == 2);
  stop(&worker);
  gearman_client_free(client);
}

static int rounds;

static gearman_return_t add_another(gearman_task_st *task) {
  gearman_client_st *client = (gearman_client_st *)gearman_task_context(task);
  if (++rounds < 5) {
    CHECK(gearman_client_add_task(client, NULL, client, "reverse", NULL, "x", 1, NULL) != NULL);
  }
  gearman_task_free(task);
  return GEARMAN_SUCCESS;
}

static void tasks_from_callbacks(void) {
  gearman_client_st *client = new_client();
  running worker;
  start(&worker, able_worker());
  gearman_client_set_complete_fn(client, add_another);
  CHECK(gearman_client_add_task(client, NULL, client, "reverse", NULL, "x", 1, NULL) != NULL);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_run_tasks(client));
  CHECK(rounds == 5 && !gearman_client_has_tasks(client));
  stop(&worker);
  gearman_client_free(client);
}

static void without_blocking(void) {
  gearman_client_st *client = listening_client();
  running worker;
  gearman_return_t rc;
  int waited = 0;
  start(&worker, able_worker());
  gearman_client_add_options(client, GEARMAN_CLIENT_NON_BLOCKING);
  for (int number = 0; number < 20; number++) {
    CHECK(gearman_client_add_task(client, NULL, NULL, "reverse", NULL, "x", 1, NULL) != NULL);
  }
  while ((rc = gearman_client_run_tasks(client)) == GEARMAN_IO_WAIT) {
    waited++;
    CHECK_RC(GEARMAN_SUCCESS, gearman_client_wait(client));
  }
  CHECK_RC(GEARMAN_SUCCESS, rc);
  CHECK(waited > 0 && strlen(seen) == 40);
  stop(&worker);
  gearman_client_free(client);
}

static size_t received;

static gearman_return_t receive(gearman_task_st *task) {
  char buffer[1000];
  size_t size;
  gearman_return_t rc;
  CHECK(gearman_task_data(task) == NULL && gearman_task_data_size(task) == 100000);
  do {
    size = gearman_task_recv_data(task, buffer, sizeof buffer, &rc);
    CHECK_RC(GEARMAN_SUCCESS, rc);
    received += size;
  } while (size > 0);
  return GEARMAN_SUCCESS;
}

static void unbuffered(void) {
  gearman_client_st *client = new_client();
  char *workload = (char *)malloc(100000);
  running worker;
  memset(workload, 'w', 100000);
  start(&worker, able_worker());
  gearman_client_add_options(client, GEARMAN_CLIENT_UNBUFFERED_RESULT);
  gearman_client_set_complete_fn(client, receive);
  CHECK(gearman_client_add_task(client, NULL, NULL, "reverse", NULL, workload, 100000, NULL) != NULL);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_run_tasks(client));
  CHECK(received == 100000);
  stop(&worker);
  free(workload);
  gearman_client_free(client);
}

static void workloads_later(void) {
  gearman_client_st *client = listening_client();
  char *given = (char *)malloc(3);
  running worker;
  gearman_task_st *task;
  memcpy(given, "abc", 3);
  start(&worker, able_worker());
  task = gearman_client_add_task(client, NULL, NULL, "reverse", NULL, NULL, 0, NULL);
  CHECK(task != NULL);
  gearman_task_give_workload(task, given, 3);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_run_tasks(client));
  CHECK_TEXT("cC", seen);
  stop(&worker);
  gearman_client_free(client);
}

int main(int argc, char **argv) {
  brokers(argc, argv);
  callbacks();
  exceptions_stay();
  every_kind();
  refusals();
  status_tasks();
  pausing();
  tasks_from_callbacks();
  without_blocking();
  unbuffered();
  workloads_later();
  return 0;
}
