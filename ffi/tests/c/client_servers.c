/* A client's servers: lists, the environment, names, options, echoes and waits. */

#include "check.h"

static void lists(void) {
  gearman_client_st *client = gearman_client_create(NULL);
  char list[64];
  snprintf(list, sizeof list, "127.0.0.1:%d,127.0.0.1:%d", first_port, second_port);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_add_servers(client, list));
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_echo(client, "x", 1));
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, gearman_client_echo(client, NULL, 0));
  gearman_client_remove_servers(client);
  CHECK_RC(GEARMAN_NO_SERVERS, gearman_client_echo(client, "x", 1));
  /* Port 1 is nobody's: one dead server makes an echo fail. */
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_add_server(client, "127.0.0.1", first_port));
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_add_server(client, "127.0.0.1", 1));
  CHECK_RC(GEARMAN_COULD_NOT_CONNECT, gearman_client_echo(client, "x", 1));
  CHECK(gearman_client_errno(client) == ECONNREFUSED);
  gearman_client_free(client);
}

static void environment(void) {
  gearman_client_st *client;
  char list[32];
  snprintf(list, sizeof list, "127.0.0.1:%d", first_port);
  setenv("GEARMAN_SERVERS", list, 1);
  client = gearman_client_create(NULL);
  CHECK(client != NULL);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_echo(client, "x", 1));
  gearman_client_free(client);
  setenv("GEARMAN_SERVERS", "no such host", 1);
  CHECK(gearman_client_create(NULL) == NULL);
  CHECK(gearman_worker_create(NULL) == NULL);
  unsetenv("GEARMAN_SERVERS");
}

static void server_options(void) {
  gearman_client_st *client = new_client();
  CHECK(!gearman_client_set_server_option(client, "unheard-of", 10));
  CHECK_RC(GEARMAN_UNKNOWN_OPTION, gearman_client_error_code(client));
  CHECK(!gearman_client_set_server_option(client, NULL, 0));
  CHECK(gearman_client_set_server_option(client, "exceptions", 10));
  CHECK(gearman_client_has_option(client, GEARMAN_CLIENT_EXCEPTION));
  gearman_client_free(client);
}

static void identifiers(void) {
  gearman_client_st *client = new_client();
  char longest[255];
  memset(longest, 'x', sizeof longest);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_set_identifier(client, "somebody", 8));
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, gearman_client_set_identifier(client, "two words", 9));
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, gearman_client_set_identifier(client, "", 0));
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_set_identifier(client, longest, 254));
  CHECK_RC(GEARMAN_ARGUMENT_TOO_LARGE, gearman_client_set_identifier(client, longest, 255));
  gearman_client_free(client);
}

static void namespaces(void) {
  gearman_client_st *client = new_client();
  gearman_worker_st *worker = new_worker();
  running it;
  size_t size;
  gearman_return_t rc;
  char *result;
  gearman_client_set_namespace(client, "shop-", 5);
  gearman_worker_set_namespace(worker, "shop-", 5);
  CHECK_TEXT("shop-", gearman_worker_namespace(worker));
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_add_function(worker, "reverse", 0, reverse, NULL));
  CHECK(gearman_worker_function_exist(worker, "reverse", 7));
  start(&it, worker);
  result = (char *)gearman_client_do(client, "reverse", NULL, "abc", 3, &size, &rc);
  CHECK_RC(GEARMAN_SUCCESS, rc);
  CHECK_BYTES("cba", result, size);
  free(result);
  /* Its name at the broker is the whole of it. */
  gearman_client_set_namespace(client, NULL, 0);
  result = (char *)gearman_client_do(client, "shop-reverse", NULL, "ab", 2, &size, &rc);
  CHECK_RC(GEARMAN_SUCCESS, rc);
  CHECK_BYTES("ba", result, size);
  free(result);
  stop(&it);
  gearman_client_free(client);
}

static void waits(void) {
  gearman_client_st *client = new_client();
  CHECK_RC(GEARMAN_NO_ACTIVE_FDS, gearman_client_wait(client));
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_echo(client, "x", 1));
  gearman_client_set_timeout(client, 10);
  CHECK_RC(GEARMAN_TIMEOUT, gearman_client_wait(client));
  gearman_client_remove_servers(client);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_add_server(client, "127.0.0.1", silent_port()));
  gearman_client_set_timeout(client, 0);
  CHECK_RC(GEARMAN_TIMEOUT, gearman_client_echo(client, "x", 1));
  gearman_client_free(client);
}

int main(int argc, char **argv) {
  brokers(argc, argv);
  lists();
  environment();
  server_options();
  identifiers();
  namespaces();
  waits();
  return 0;
}
