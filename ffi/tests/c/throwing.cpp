/* C++: exceptions through callbacks, the one C++ export, and what prints codes and statuses. */

#include "check.h"

#include <libgearman-1.0/ostream.hpp>
#include <sstream>
#include <stdexcept>

static int thrown;

static gearman_return_t throw_from_task(gearman_task_st *) {
  if (thrown++ == 0) {
    throw std::runtime_error("from a task");
  }
  return GEARMAN_SUCCESS;
}

static void from_a_task() {
  gearman_client_st *client = new_client();
  running worker;
  bool caught = false;
  start(&worker, able_worker());
  gearman_client_set_complete_fn(client, throw_from_task);
  CHECK(gearman_client_add_task(client, NULL, NULL, "reverse", NULL, "x", 1, NULL) != NULL);
  try {
    gearman_client_run_tasks(client);
  } catch (const std::runtime_error &error) {
    caught = true;
    CHECK_TEXT("from a task", error.what());
  }
  CHECK(caught);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_run_tasks(client));
  stop(&worker);
  gearman_client_free(client);
}

static void *throw_from_function(gearman_job_st *, void *, size_t *, gearman_return_t *) {
  throw std::runtime_error("from a function");
}

static void from_a_function() {
  gearman_client_st *client = new_client();
  gearman_worker_st *worker = new_worker();
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_add_function(worker, "throw", 0, throw_from_function, NULL));
  for (int times = 0; times < 3; times++) {
    CHECK_RC(GEARMAN_SUCCESS, gearman_client_do_background(client, "throw", NULL, "x", 1, NULL));
  }
  int caught = 0;
  gearman_worker_set_timeout(worker, PATIENCE);
  while (caught < 3) {
    try {
      gearman_worker_work(worker);
      CHECK(!"it has come back by itself");
    } catch (const std::runtime_error &) {
      caught++;
    }
  }
  gearman_worker_set_timeout(worker, 20);
  CHECK_RC(GEARMAN_TIMEOUT, gearman_worker_work(worker));
  gearman_worker_free(worker);
  gearman_client_free(client);
}

/* Every callback of it pauses once. */
static void pausing_actions() {
  const gearman_actions_t &actions = gearman_actions_pause();
  CHECK(actions.created_fn != NULL && actions.fail_fn != NULL);
  gearman_client_st *client = new_client();
  running worker;
  start(&worker, able_worker());
  gearman_client_set_created_fn(client, actions.created_fn);
  gearman_client_set_complete_fn(client, actions.complete_fn);
  CHECK(gearman_client_add_task(client, NULL, NULL, "reverse", NULL, "x", 1, NULL) != NULL);
  CHECK_RC(GEARMAN_PAUSE, gearman_client_run_tasks(client));
  CHECK_RC(GEARMAN_PAUSE, gearman_client_run_tasks(client));
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_run_tasks(client));
  stop(&worker);
  gearman_client_free(client);
}

static void printing() {
  std::ostringstream text;
  text << GEARMAN_TIMEOUT;
  CHECK(text.str() == "GEARMAN_TIMEOUT");
}

int main(int argc, char **argv) {
  brokers(argc, argv);
  from_a_task();
  from_a_function();
  pausing_actions();
  printing();
  return 0;
}
