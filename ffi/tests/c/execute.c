/* gearman_execute, its attributes, arguments and results; map/reduce with both sides of it. */

#include "check.h"

static gearman_argument_t argument(const char *text) {
  return gearman_argument_make(NULL, 0, text, strlen(text));
}

static void attributes(void) {
  gearman_task_attr_t attributes = gearman_task_attr_init(GEARMAN_JOB_PRIORITY_HIGH);
  CHECK(attributes.kind == GEARMAN_TASK_ATTR_FOREGROUND && attributes.priority == GEARMAN_JOB_PRIORITY_HIGH);
  attributes = gearman_task_attr_init_background(GEARMAN_JOB_PRIORITY_LOW);
  CHECK(attributes.kind == GEARMAN_TASK_ATTR_BACKGROUND && attributes.priority == GEARMAN_JOB_PRIORITY_LOW);
  attributes = gearman_task_attr_init_epoch(12345, GEARMAN_JOB_PRIORITY_NORMAL);
  CHECK(attributes.kind == GEARMAN_TASK_ATTR_EPOCH && attributes.options.epoch.value == 12345);
}

static void arguments(void) {
  gearman_argument_t made = gearman_argument_make("name", 4, "value", 5);
  CHECK(made.name.c_str == NULL && made.name.size == 0);
  CHECK_BYTES("value", made.value.c_str, made.value.size);
}

static void executions(void) {
  gearman_client_st *client = new_client();
  gearman_argument_t value = argument("hello");
  gearman_task_attr_t later = gearman_task_attr_init_background(GEARMAN_JOB_PRIORITY_NORMAL);
  gearman_task_attr_t epoch = gearman_task_attr_init_epoch(time(NULL) + 3600, GEARMAN_JOB_PRIORITY_NORMAL);
  running worker;
  gearman_task_st *task;
  gearman_result_st *result;
  start(&worker, able_worker());
  task = gearman_execute(client, "reverse", 7, NULL, 0, NULL, &value, NULL);
  CHECK(task != NULL);
  CHECK_RC(GEARMAN_SUCCESS, gearman_task_return(task));
  result = gearman_task_result(task);
  CHECK_TEXT("olleh", gearman_result_value(result));
  CHECK(gearman_result_size(result) == 5 && !gearman_result_is_null(result) && gearman_result_boolean(result));
  {
    gearman_string_t text = gearman_result_string(result);
    CHECK_BYTES("olleh", text.c_str, text.size);
  }

  task = gearman_execute(client, "chatter", 7, "mine", 4, NULL, &value, NULL);
  CHECK_TEXT("one,two,three", gearman_result_value(gearman_task_result(task)));
  CHECK_TEXT("mine", gearman_task_unique(task));

  task = gearman_execute(client, "fail", 4, NULL, 0, NULL, &value, NULL);
  CHECK_RC(GEARMAN_WORK_FAIL, gearman_task_return(task));
  CHECK(gearman_result_is_null(gearman_task_result(task)));

  task = gearman_execute(client, "reverse", 7, NULL, 0, &later, &value, client);
  CHECK_RC(GEARMAN_SUCCESS, gearman_task_return(task));
  CHECK(gearman_task_job_handle(task)[0] != '\0' && gearman_task_context(task) == client);

  task = gearman_execute(client, "reverse", 7, NULL, 0, &epoch, &value, NULL);
  CHECK_RC(GEARMAN_SUCCESS, gearman_task_return(task));
  CHECK_RC(GEARMAN_JOB_EXISTS,
           gearman_client_job_status(client, (char *)gearman_task_job_handle(task), NULL, NULL, NULL, NULL));
  CHECK(gearman_execute(client, NULL, 0, NULL, 0, NULL, &value, NULL) == NULL);
  stop(&worker);
  gearman_client_free(client);
}

/* Every word of the workload is a piece. */
static gearman_return_t split(gearman_job_st *job, void *context) {
  const char *workload = (const char *)gearman_job_workload(job);
  size_t size = gearman_job_workload_size(job), from = 0;
  CHECK(context == NULL);
  for (size_t at = 0; at <= size; at++) {
    if (at == size || workload[at] == ' ') {
      if (at > from) {
        CHECK_RC(GEARMAN_SUCCESS, gearman_job_send_data(job, workload + from, at - from));
      }
      from = at + 1;
    }
  }
  /* How it ends is for the pieces to say. */
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, gearman_job_send_complete(job, "x", 1));
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, gearman_job_send_fail(job));
  return GEARMAN_SUCCESS;
}

static gearman_return_t join(gearman_aggregator_st *aggregator, gearman_task_st *task, gearman_result_st *result) {
  char all[256];
  size_t size = 0;
  CHECK(gearman_aggegator_context(aggregator) == NULL);
  for (; task != NULL; task = gearman_next(task)) {
    gearman_result_st *piece = gearman_task_result(task);
    CHECK_RC(GEARMAN_SUCCESS, gearman_task_return(task));
    memcpy(all + size, gearman_result_value(piece), gearman_result_size(piece));
    size += gearman_result_size(piece);
    all[size++] = ';';
  }
  CHECK_RC(GEARMAN_SUCCESS, gearman_result_store_value(result, all, size));
  CHECK(gearman_result_integer(result) == 0 && gearman_result_boolean(result));
  return GEARMAN_SUCCESS;
}

static gearman_return_t refuse(gearman_aggregator_st *aggregator, gearman_task_st *task, gearman_result_st *result) {
  gearman_string_t text = {"12 sheep", 8};
  (void)aggregator;
  (void)task;
  gearman_result_store_integer(result, -5);
  CHECK(gearman_result_integer(result) == -5 && gearman_result_boolean(result) && gearman_result_size(result) == 0);
  CHECK_RC(GEARMAN_SUCCESS, gearman_result_store_string(result, text));
  CHECK(gearman_result_integer(result) == 12);
  return GEARMAN_WORK_FAIL;
}

static void partitions(void) {
  gearman_client_st *client = new_client();
  gearman_worker_st *mapper = new_worker();
  gearman_argument_t value = argument("abc de f");
  running reducers, mappers;
  gearman_task_st *task;
  gearman_task_attr_t epoch = gearman_task_attr_init_epoch(1, GEARMAN_JOB_PRIORITY_NORMAL);
  CHECK_RC(GEARMAN_SUCCESS,
           gearman_worker_define_function(mapper, "split", 5, gearman_function_create_partition(split, join), 0, NULL));
  CHECK_RC(GEARMAN_SUCCESS,
           gearman_worker_define_function(mapper, "empty", 5, gearman_function_create_partition(split, NULL), 0, NULL));
  CHECK_RC(GEARMAN_SUCCESS,
           gearman_worker_define_function(mapper, "refuse", 6, gearman_function_create_partition(split, refuse), 0, NULL));
  start(&reducers, able_worker());
  start(&mappers, mapper);

  task = gearman_execute_by_partition(client, "split", 5, "reverse", 7, NULL, 0, NULL, &value, NULL);
  CHECK(task != NULL);
  CHECK_RC(GEARMAN_SUCCESS, gearman_task_return(task));
  CHECK_TEXT("cba;ed;f;", gearman_result_value(gearman_task_result(task)));

  task = gearman_execute_by_partition(client, "empty", 5, "reverse", 7, NULL, 0, NULL, &value, NULL);
  CHECK_RC(GEARMAN_SUCCESS, gearman_task_return(task));
  CHECK(gearman_result_is_null(gearman_task_result(task)));

  /* A piece that fails, and an aggregator that refuses, fail the job. */
  task = gearman_execute_by_partition(client, "split", 5, "fail", 4, NULL, 0, NULL, &value, NULL);
  CHECK(task == NULL || gearman_task_return(task) == GEARMAN_WORK_FAIL);
  task = gearman_execute_by_partition(client, "refuse", 6, "reverse", 7, NULL, 0, NULL, &value, NULL);
  CHECK(task == NULL || gearman_task_return(task) == GEARMAN_WORK_FAIL);
  CHECK(gearman_execute_by_partition(client, "split", 5, "reverse", 7, NULL, 0, &epoch, &value, NULL) == NULL);
  stop(&mappers);
  stop(&reducers);
  gearman_client_free(client);
}

int main(int argc, char **argv) {
  brokers(argc, argv);
  attributes();
  arguments();
  executions();
  partitions();
  return 0;
}
