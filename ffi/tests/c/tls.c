/* Clients and workers that speak TLS with the third broker, which lets nobody in without a certificate. Compiles with Debian's headers
   as well. */

#include "check.h"

static in_port_t tls_port;
static char ca[512], other[512], certificate[512], key[512];

static void find(char *path, const char *name) {
  const char *folder = getenv("TEST_TLS_FOLDER");
  CHECK(folder != NULL && snprintf(path, 512, "%s/%s", folder, name) < 512);
}

static gearman_client_st *client(const char *host) {
  gearman_client_st *it = gearman_client_create(NULL);
  CHECK(it != NULL);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_add_server(it, host, tls_port));
  gearman_client_set_timeout(it, PATIENCE);
  return it;
}

static gearman_worker_st *worker(void) {
  gearman_worker_st *it = gearman_worker_create(NULL);
  CHECK(it != NULL);
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_add_server(it, "127.0.0.1", tls_port));
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_add_function(it, "reverse", 0, reverse, NULL));
  return it;
}

/* A workload that no buffer on the way holds. */
static void jobs(gearman_client_st *it) {
  size_t size = 3000000, result_size = 0;
  char *there = (char *)malloc(size), *back;
  gearman_return_t rc;
  CHECK(there != NULL);
  for (size_t at = 0; at < size; at++) {
    there[at] = (char)(at * 2654435761u >> 24);
  }
  back = (char *)gearman_client_do(it, "reverse", NULL, there, size, &result_size, &rc);
  CHECK_RC(GEARMAN_SUCCESS, rc);
  CHECK(back != NULL && result_size == size);
  for (size_t at = 0; at < size; at++) {
    CHECK(back[at] == there[size - 1 - at]);
  }
  free(back);
  free(there);
}

static void files_from_the_program(void) {
  running it;
  gearman_worker_st *able = worker();
  gearman_client_st *asking = client("localhost"), *copy;
  gearman_worker_set_ssl(able, true, ca, certificate, key);
  start(&it, able);
  gearman_client_set_ssl(asking, true, ca, certificate, key);
  CHECK(gearman_client_has_option(asking, GEARMAN_CLIENT_SSL));
  jobs(asking);
  /* A copy has the switch, not the files. */
  copy = gearman_client_clone(NULL, asking);
  CHECK(gearman_client_has_option(copy, GEARMAN_CLIENT_SSL));
  CHECK(gearman_client_echo(copy, "x", 1) != GEARMAN_SUCCESS);
  gearman_client_free(copy);
  gearman_client_free(asking);
  stop(&it);
}

static void files_from_the_environment(void) {
  gearman_client_st *asking = client("127.0.0.1"), *plain;
  setenv("GEARMAND_CA_CERTIFICATE", ca, 1);
  setenv("GEARMAN_CLIENT_PEM", certificate, 1);
  setenv("GEARMAN_CLIENT_KEY", key, 1);
  gearman_client_add_options(asking, GEARMAN_CLIENT_SSL);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_echo(asking, "x", 1));
  /* The variables alone turn nothing on. */
  plain = client("127.0.0.1");
  CHECK(gearman_client_echo(plain, "x", 1) != GEARMAN_SUCCESS);
  gearman_client_free(plain);
  /* Off again, with the next connection. */
  gearman_client_set_ssl(asking, false, NULL, NULL, NULL);
  gearman_client_remove_servers(asking);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_add_server(asking, "127.0.0.1", first_port));
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_echo(asking, "x", 1));
  gearman_client_free(asking);
  unsetenv("GEARMAND_CA_CERTIFICATE");
  unsetenv("GEARMAN_CLIENT_PEM");
  unsetenv("GEARMAN_CLIENT_KEY");
}

static void refusals(void) {
  char handle[GEARMAN_JOB_HANDLE_SIZE];
  gearman_client_st *asking = client("127.0.0.1");
  /* An authority that has not signed the server. */
  gearman_client_set_ssl(asking, true, other, certificate, key);
  CHECK_RC(GEARMAN_COULD_NOT_CONNECT, gearman_client_echo(asking, "x", 1));
  CHECK(strstr(gearman_client_error(asking), "it is not signed by an authority of the CA file") != NULL);
  /* Files that cannot be used. */
  gearman_client_set_ssl(asking, true, ca, certificate, "/nonexistent/key");
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, gearman_client_do_background(asking, "f", NULL, "x", 1, handle));
  CHECK(strstr(gearman_client_error(asking), "key /nonexistent/key: No such file") != NULL);
  gearman_client_set_ssl(asking, true, key, certificate, key);
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, gearman_client_echo(asking, "x", 1));
  CHECK(strstr(gearman_client_error(asking), "no certificate in it") != NULL);
  /* And at last good ones. */
  gearman_client_set_ssl(asking, true, ca, certificate, key);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_echo(asking, "x", 1));
  gearman_client_free(asking);
}

/* The caller's own loop: nothing waits inside. */
static void without_blocking(void) {
  gearman_client_st *asking = client("127.0.0.1");
  gearman_return_t rc;
  gearman_client_set_ssl(asking, true, ca, certificate, key);
  gearman_client_add_options(asking, GEARMAN_CLIENT_NON_BLOCKING);
  CHECK(gearman_client_add_task_background(asking, NULL, NULL, "f", NULL, "x", 1, &rc) != NULL);
  while ((rc = gearman_client_run_tasks(asking)) == GEARMAN_IO_WAIT) {
    CHECK_RC(GEARMAN_SUCCESS, gearman_client_wait(asking));
  }
  CHECK_RC(GEARMAN_SUCCESS, rc);
  gearman_client_free(asking);
}

int main(int argc, char **argv) {
  const char *port = getenv("TEST_TLS_PORT");
  brokers(argc, argv);
  CHECK(port != NULL);
  tls_port = (in_port_t)atoi(port);
  find(ca, "ca.pem");
  find(other, "other.pem");
  find(certificate, "client.pem");
  find(key, "client.key");
  files_from_the_program();
  files_from_the_environment();
  refusals();
  without_blocking();
  return 0;
}
