/* Clients come and go, are copied, and keep what they are told. */

#include "check.h"

static void in_memory_of_the_program(void) {
  gearman_client_st client;
  memset(&client, 0xa5, sizeof client);
  CHECK(gearman_client_create(&client) == &client);
  CHECK(!client.options.is_allocated && client.options.is_initialized);
  CHECK(gearman_client_options(&client) == 0);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_add_server(&client, "127.0.0.1", first_port));
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_echo(&client, "x", 1));
  gearman_client_free(&client);
  gearman_client_free(&client);
}

static void options(void) {
  gearman_client_st *client = new_client();
  CHECK(gearman_client_options(client) == GEARMAN_CLIENT_ALLOCATED);
  gearman_client_add_options(client, GEARMAN_CLIENT_NON_BLOCKING | GEARMAN_CLIENT_FREE_TASKS);
  CHECK(gearman_client_has_option(client, GEARMAN_CLIENT_NON_BLOCKING));
  CHECK(gearman_client_has_option(client, GEARMAN_CLIENT_FREE_TASKS));
  CHECK(!gearman_client_has_option(client, GEARMAN_CLIENT_EXCEPTION));
  gearman_client_remove_options(client, GEARMAN_CLIENT_NON_BLOCKING);
  CHECK(gearman_client_options(client) == (GEARMAN_CLIENT_ALLOCATED | GEARMAN_CLIENT_FREE_TASKS));
  gearman_client_set_options(client, GEARMAN_CLIENT_GENERATE_UNIQUE);
  CHECK(gearman_client_options(client) == (GEARMAN_CLIENT_ALLOCATED | GEARMAN_CLIENT_GENERATE_UNIQUE));
  /* Asks the broker, and is then told by has_option only. */
  gearman_client_add_options(client, GEARMAN_CLIENT_EXCEPTION);
  CHECK(gearman_client_has_option(client, GEARMAN_CLIENT_EXCEPTION));
  CHECK((gearman_client_options(client) & GEARMAN_CLIENT_EXCEPTION) == 0);

  CHECK(gearman_client_timeout(client) == PATIENCE);
  gearman_client_set_timeout(client, -1);
  CHECK(gearman_client_timeout(client) == -1);
  CHECK(gearman_client_context(client) == NULL);
  gearman_client_set_context(client, client);
  CHECK(gearman_client_context(client) == client);
  gearman_client_free(client);
}

static void errors(void) {
  gearman_client_st *client = gearman_client_create(NULL);
  CHECK(gearman_client_error(client) == NULL);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_error_code(client));
  CHECK_RC(GEARMAN_NO_SERVERS, gearman_client_echo(client, "x", 1));
  CHECK_RC(GEARMAN_NO_SERVERS, gearman_client_error_code(client));
  CHECK(strstr(gearman_client_error(client), "GEARMAN_NO_SERVERS") != NULL);
  CHECK(gearman_client_errno(client) == 0);
  CHECK_RC(GEARMAN_GETADDRINFO, gearman_client_add_server(client, "no such host", 0));
  CHECK(gearman_client_errno(NULL) == EINVAL);
  gearman_client_free(client);
}

static void log_line(const char *line, gearman_verbose_t verbose, void *context) {
  CHECK(verbose == GEARMAN_VERBOSE_ERROR && strstr(line, "GEARMAN_NO_SERVERS") != NULL);
  ++*(int *)context;
}

static void log_lines(void) {
  gearman_client_st *client = gearman_client_create(NULL);
  int lines = 0;
  gearman_client_set_log_fn(client, log_line, &lines, GEARMAN_VERBOSE_FATAL);
  gearman_client_echo(client, "x", 1);
  CHECK(lines == 0);
  gearman_client_set_log_fn(client, log_line, &lines, GEARMAN_VERBOSE_ERROR);
  gearman_client_echo(client, "x", 1);
  CHECK(lines == 1);
  gearman_client_free(client);
}

static void copies(void) {
  gearman_client_st *client = new_client();
  gearman_client_st other, *copy;
  gearman_client_set_context(client, client);
  gearman_client_add_options(client, GEARMAN_CLIENT_FREE_TASKS);
  gearman_client_set_timeout(client, 1234);
  copy = gearman_client_clone(NULL, client);
  CHECK(copy != NULL && gearman_client_timeout(copy) == 1234);
  CHECK(gearman_client_has_option(copy, GEARMAN_CLIENT_FREE_TASKS));
  CHECK(gearman_client_context(copy) == NULL);
  CHECK(gearman_client_compare(client, copy));
  gearman_client_set_timeout(copy, PATIENCE);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_echo(copy, "x", 1));
  CHECK(gearman_client_clone(&other, client) == &other);
  CHECK(!other.options.is_allocated);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_add_server(&other, "127.0.0.1", second_port));
  CHECK(!gearman_client_compare(client, &other));
  gearman_client_remove_servers(&other);
  CHECK(!gearman_client_compare(client, &other) && !gearman_client_compare(NULL, client));
  gearman_client_free(&other);
  gearman_client_free(copy);
  gearman_client_free(client);
}

static void *allocate(size_t size, void *context) {
  ++*(int *)context;
  return malloc(size);
}

static void release(void *memory, void *context) {
  --*(int *)context;
  free(memory);
}

static void *reallocate(void *memory, size_t size, void *context) {
  (void)context;
  return realloc(memory, size);
}

static void *allocate_many(size_t count, size_t size, void *context) {
  (void)context;
  return calloc(count, size);
}

static void allocators(void) {
  gearman_client_st *client = new_client();
  int blocks = 0;
  size_t size = 0;
  gearman_return_t rc;
  running worker;
  void *result;
  CHECK_RC(GEARMAN_FATAL, gearman_client_set_memory_allocators(client, allocate, NULL, NULL, NULL, &blocks));
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_set_memory_allocators(client, allocate, release, reallocate,
                                                                allocate_many, &blocks));
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_set_memory_allocators(client, NULL, NULL, NULL, NULL, NULL));
  gearman_client_set_workload_malloc_fn(client, allocate, &blocks);
  gearman_client_set_workload_free_fn(client, release, &blocks);
  start(&worker, able_worker());
  result = gearman_client_do(client, "reverse", NULL, "abc", 3, &size, &rc);
  CHECK_RC(GEARMAN_SUCCESS, rc);
  CHECK_BYTES("cba", result, size);
  CHECK(((char *)result)[size] == '\0');
  /* The result is the program's own, nothing else is left. */
  CHECK(blocks == 1);
  release(result, &blocks);
  stop(&worker);
  gearman_client_free(client);
  CHECK(blocks == 0);
}

static void encrypted(void) {
  gearman_client_st *client = new_client();
  gearman_client_set_ssl(client, true, NULL, NULL, NULL);
  CHECK(gearman_client_has_option(client, GEARMAN_CLIENT_SSL));
  /* Never in the clear where the program wants TLS. */
  CHECK(gearman_client_echo(client, "x", 1) != GEARMAN_SUCCESS);
  gearman_client_set_ssl(client, false, NULL, NULL, NULL);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_echo(client, "x", 1));
  gearman_client_free(client);
}

int main(int argc, char **argv) {
  brokers(argc, argv);
  in_memory_of_the_program();
  options();
  errors();
  log_lines();
  copies();
  allocators();
  encrypted();
  return 0;
}
