/* Workers come and go, are copied, keep what they are told, and have servers and names. */

#include "check.h"

static void in_memory_of_the_program(void) {
  gearman_worker_st worker;
  memset(&worker, 0xa5, sizeof worker);
  CHECK(gearman_worker_create(&worker) == &worker);
  CHECK(!worker.options.is_allocated && worker.options.is_initialized);
  CHECK(gearman_worker_options(&worker) == 644);
  gearman_worker_free(&worker);
  gearman_worker_free(&worker);
}

static void options(void) {
  gearman_worker_st *worker = new_worker();
  CHECK(gearman_worker_options(worker) == 645 && gearman_worker_options(NULL) == 0);
  CHECK(gearman_worker_timeout(worker) == -1 && gearman_worker_timeout(NULL) == 0);
  gearman_worker_set_options(worker, (gearman_worker_options_t)0);
  CHECK(gearman_worker_options(worker) == 5 && gearman_worker_timeout(worker) == 10000);
  gearman_worker_add_options(worker, GEARMAN_WORKER_NON_BLOCKING | GEARMAN_WORKER_GRAB_UNIQ);
  CHECK(gearman_worker_options(worker) == (5 | GEARMAN_WORKER_NON_BLOCKING | GEARMAN_WORKER_GRAB_UNIQ));
  gearman_worker_remove_options(worker, GEARMAN_WORKER_NON_BLOCKING);
  gearman_worker_set_timeout(worker, 50);
  CHECK(gearman_worker_timeout(worker) == 50);
  CHECK((gearman_worker_options(worker) & GEARMAN_WORKER_TIMEOUT_RETURN) != 0);
  gearman_worker_remove_options(worker, GEARMAN_WORKER_TIMEOUT_RETURN);
  CHECK(gearman_worker_timeout(worker) == 10000);
  gearman_worker_add_options(worker, (gearman_worker_options_t)GEARMAN_WORKER_IDENTIFIER);
  CHECK((gearman_worker_options(worker) & GEARMAN_WORKER_IDENTIFIER) != 0);
  CHECK(gearman_worker_context(worker) == NULL);
  gearman_worker_set_context(worker, worker);
  CHECK(gearman_worker_context(worker) == worker);
  gearman_worker_set_ssl(worker, true, "/nonexistent/ca.pem", NULL, NULL);
  /* From the next connection on. */
  gearman_worker_remove_servers(worker);
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_add_server(worker, "127.0.0.1", first_port));
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, gearman_worker_echo(worker, "x", 1));
  CHECK(strstr(gearman_worker_error(worker), "/nonexistent/ca.pem") != NULL);
  gearman_worker_free(worker);
}

static void log_line(const char *line, gearman_verbose_t verbose, void *context) {
  CHECK(verbose == GEARMAN_VERBOSE_ERROR && strstr(line, "GEARMAN_") != NULL);
  ++*(int *)context;
}

static void errors(void) {
  gearman_worker_st *worker = gearman_worker_create(NULL);
  int lines = 0;
  gearman_worker_set_log_fn(worker, log_line, &lines, GEARMAN_VERBOSE_ERROR);
  CHECK(gearman_worker_error(worker) == NULL && gearman_worker_errno(worker) == 0);
  CHECK_RC(GEARMAN_NO_SERVERS, gearman_worker_work(worker));
  CHECK(strstr(gearman_worker_error(worker), "GEARMAN_NO_SERVERS") != NULL && lines == 1);
  CHECK(gearman_worker_errno(NULL) == EINVAL);
  CHECK_RC(GEARMAN_GETADDRINFO, gearman_worker_add_server(worker, "no such host", 0));
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_add_server(worker, "127.0.0.1", first_port));
  CHECK_RC(GEARMAN_NO_REGISTERED_FUNCTIONS, gearman_worker_work(worker));
  gearman_worker_remove_servers(worker);
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_add_server(worker, "127.0.0.1", 1));
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_register(worker, "f", 0));
  CHECK_RC(GEARMAN_COULD_NOT_CONNECT, gearman_worker_work(worker));
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, gearman_worker_add_servers(NULL, "127.0.0.1"));
  gearman_worker_free(worker);
}

static void servers(void) {
  gearman_worker_st *worker = gearman_worker_create(NULL);
  char list[64];
  snprintf(list, sizeof list, "127.0.0.1:%d,127.0.0.1:%d", first_port, second_port);
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_add_servers(worker, list));
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_echo(worker, "x", 1));
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, gearman_worker_echo(worker, "", 0));
  CHECK(gearman_worker_set_server_option(worker, "exceptions", 10));
  CHECK(!gearman_worker_set_server_option(worker, "unheard-of", 10));
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_set_identifier(worker, "somebody", 8));
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, gearman_worker_set_identifier(worker, "two words", 9));
  CHECK(gearman_worker_namespace(worker) == NULL);
  gearman_worker_set_namespace(worker, "shop-", 5);
  CHECK_TEXT("shop-", gearman_worker_namespace(worker));
  gearman_worker_set_namespace(worker, NULL, 0);
  CHECK(gearman_worker_namespace(worker) == NULL);
  gearman_worker_set_timeout(worker, 20);
  CHECK_RC(GEARMAN_TIMEOUT, gearman_worker_wait(worker));
  gearman_worker_remove_servers(worker);
  CHECK_RC(GEARMAN_NO_ACTIVE_FDS, gearman_worker_wait(worker));
  gearman_worker_free(worker);
}

/* A copy has the functions as well, and does their jobs. */
static void copies(void) {
  gearman_client_st *client = new_client();
  gearman_worker_st *worker = able_worker();
  gearman_worker_st *copy = gearman_worker_clone(NULL, worker), *third;
  gearman_worker_st other;
  running it;
  size_t size;
  gearman_return_t rc;
  char *result;
  CHECK(copy != NULL);
  gearman_worker_free(worker);
  CHECK(gearman_worker_clone(&other, copy) == &other && !other.options.is_allocated);
  CHECK(gearman_worker_function_exist(&other, "reverse", 7));
  gearman_worker_free(&other);
  third = gearman_worker_clone(NULL, NULL);
  CHECK(third != NULL);
  gearman_worker_free(third);
  start(&it, copy);
  result = (char *)gearman_client_do(client, "reverse", NULL, "abc", 3, &size, &rc);
  CHECK_RC(GEARMAN_SUCCESS, rc);
  CHECK_BYTES("cba", result, size);
  free(result);
  stop(&it);
  gearman_client_free(client);
}

/* Jobs come from every server that can be reached, whichever are dead. */
static void several_servers(void) {
  gearman_worker_st *worker = able_worker();
  gearman_client_st *first = new_client(), *second = gearman_client_create(NULL);
  gearman_return_t rc;
  running it;
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_add_server(worker, "127.0.0.1", 1));
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_add_server(worker, "127.0.0.1", second_port));
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_add_server(second, "127.0.0.1", second_port));
  gearman_client_set_timeout(second, PATIENCE);
  start(&it, worker);
  for (int number = 0; number < 5; number++) {
    free(gearman_client_do(first, "reverse", NULL, "abc", 3, NULL, &rc));
    CHECK_RC(GEARMAN_SUCCESS, rc);
    free(gearman_client_do(second, "reverse", NULL, "abc", 3, NULL, &rc));
    CHECK_RC(GEARMAN_SUCCESS, rc);
  }
  stop(&it);
  gearman_client_free(second);
  gearman_client_free(first);
}

int main(int argc, char **argv) {
  brokers(argc, argv);
  in_memory_of_the_program();
  options();
  errors();
  servers();
  copies();
  several_servers();
  return 0;
}
