/* One job at a time, in the foreground and in the background, and how it stands. */

#include "check.h"

typedef void *(one_job)(gearman_client_st *, const char *, const char *, const void *, size_t, size_t *,
                        gearman_return_t *);
typedef gearman_return_t(one_background_job)(gearman_client_st *, const char *, const char *, const void *,
                                             size_t, gearman_job_handle_t);

static void foreground(void) {
  one_job *const kinds[] = {gearman_client_do, gearman_client_do_high, gearman_client_do_low};
  gearman_client_st *client = new_client();
  running worker;
  size_t size;
  gearman_return_t rc;
  uint32_t numerator = 7, denominator = 7;
  char *result;
  start(&worker, able_worker());
  for (size_t kind = 0; kind < 3; kind++) {
    result = (char *)kinds[kind](client, "reverse", NULL, "hello", 5, &size, &rc);
    CHECK_RC(GEARMAN_SUCCESS, rc);
    CHECK_BYTES("olleh", result, size);
    free(result);
  }
  /* All data is the result, and callbacks are not called. */
  result = (char *)gearman_client_do(client, "chatter", "#", "x", 1, &size, &rc);
  CHECK_RC(GEARMAN_SUCCESS, rc);
  CHECK_BYTES("one,two,three", result, size);
  CHECK(result[size] == '\0');
  free(result);
  CHECK(gearman_client_do(client, "reverse", NULL, NULL, 0, &size, &rc) == NULL && size == 0);
  CHECK_RC(GEARMAN_SUCCESS, rc);
  CHECK(gearman_client_do(client, "fail", NULL, "x", 1, &size, &rc) == NULL);
  CHECK_RC(GEARMAN_WORK_FAIL, rc);
  CHECK(gearman_client_do(client, "throw", NULL, "x", 1, NULL, &rc) == NULL);
  CHECK_RC(GEARMAN_WORK_FAIL, rc);
  CHECK(gearman_client_set_server_option(client, "exceptions", 10));
  CHECK(gearman_client_do(client, "throw", NULL, "x", 1, NULL, &rc) == NULL);
  CHECK_RC(GEARMAN_WORK_EXCEPTION, rc);
  free(gearman_client_do(client, "reverse", NULL, "x", 1, NULL, NULL));
  gearman_client_do_status(client, &numerator, &denominator);
  CHECK(numerator == 0 && denominator == 0);
  stop(&worker);
  gearman_client_free(client);
}

static void background(void) {
  one_background_job *const kinds[] = {gearman_client_do_background, gearman_client_do_high_background,
                                       gearman_client_do_low_background};
  gearman_client_st *client = new_client();
  for (size_t kind = 0; kind < 3; kind++) {
    gearman_job_handle_t handle;
    bool known = false, running_now = true;
    uint32_t numerator = 7, denominator = 7;
    CHECK_RC(GEARMAN_SUCCESS, kinds[kind](client, "nobody", NULL, "x", 1, handle));
    CHECK_TEXT(handle, gearman_client_do_job_handle(client));
    CHECK_RC(GEARMAN_SUCCESS, gearman_client_job_status(client, handle, &known, &running_now, &numerator, &denominator));
    CHECK(known && !running_now && numerator == 0 && denominator == 0);
    CHECK_RC(GEARMAN_JOB_EXISTS, gearman_client_job_status(client, handle, NULL, NULL, NULL, NULL));
  }
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_do_background(client, "nobody", NULL, "x", 1, NULL));
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_job_status(client, "H:nowhere:1", NULL, NULL, NULL, NULL));
  errno = 0;
  CHECK(gearman_client_do_job_handle(NULL) == NULL && errno == EINVAL);
  gearman_client_free(client);
}

static void one_unique_one_job(void) {
  gearman_client_st *client = new_client();
  gearman_job_handle_t first, second;
  gearman_status_t status;
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_do_background(client, "nobody", "same", "x", 1, first));
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_do_background(client, "nobody", "same", "y", 1, second));
  CHECK_TEXT(first, second);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_do_background(client, "nobody", "#", "bg", 2, first));
  status = gearman_client_unique_status(client, "3547785083", 10);
  CHECK_RC(GEARMAN_SUCCESS, gearman_status_return(status));
  CHECK(gearman_status_is_known(status) && !gearman_status_is_running(status));
  CHECK(gearman_status_numerator(status) == 0 && gearman_status_denominator(status) == 0);
  status = gearman_client_unique_status(client, "unheard-of", 10);
  CHECK_RC(GEARMAN_SUCCESS, gearman_status_return(status));
  CHECK(!gearman_status_is_known(status));
  /* The next submission gets its own answer. */
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_do_background(client, "nobody", NULL, "x", 1, first));
  gearman_client_free(client);
}

static void refusals(void) {
  gearman_client_st *client = new_client();
  char name[514], unique[66];
  gearman_return_t rc;
  memset(name, 'n', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  memset(unique, 'u', sizeof unique - 1);
  unique[sizeof unique - 1] = '\0';
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, gearman_client_do_background(client, name, NULL, "x", 1, NULL));
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, gearman_client_do_background(client, "", NULL, "x", 1, NULL));
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, gearman_client_do_background(client, NULL, NULL, "x", 1, NULL));
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, gearman_client_do_background(client, "nobody", unique, "x", 1, NULL));
  CHECK_RC(GEARMAN_INVALID_ARGUMENT, gearman_client_do_background(client, "nobody", NULL, NULL, 1, NULL));
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_do_background(client, name + 1, unique + 1, "x", 1, NULL));
  /* Nobody does it in time; the next job does not get its late answers. */
  gearman_client_set_timeout(client, 50);
  CHECK(gearman_client_do(client, "nobody-yet", NULL, "late", 4, NULL, &rc) == NULL);
  CHECK_RC(GEARMAN_TIMEOUT, rc);
  gearman_client_set_timeout(client, PATIENCE);
  {
    running worker;
    gearman_worker_st *able = able_worker();
    size_t size;
    char *result;
    CHECK_RC(GEARMAN_SUCCESS, gearman_worker_add_function(able, "nobody-yet", 0, reverse, NULL));
    start(&worker, able);
    result = (char *)gearman_client_do(client, "reverse", NULL, "next", 4, &size, &rc);
    CHECK_RC(GEARMAN_SUCCESS, rc);
    CHECK_BYTES("txen", result, size);
    free(result);
    stop(&worker);
  }
  gearman_client_free(client);
}

static void the_next_server(void) {
  gearman_client_st *client = new_client();
  /* Port 1 is nobody's, and the newest server is tried first. */
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_add_server(client, "127.0.0.1", 1));
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_do_background(client, "nobody", NULL, "x", 1, NULL));
  gearman_client_remove_servers(client);
  CHECK_RC(GEARMAN_NO_SERVERS, gearman_client_do_background(client, "nobody", NULL, "x", 1, NULL));
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_add_server(client, "127.0.0.1", 1));
  CHECK_RC(GEARMAN_COULD_NOT_CONNECT, gearman_client_do_background(client, "nobody", NULL, "x", 1, NULL));
  gearman_client_free(client);
}

static void without_waiting(void) {
  gearman_client_st *client = new_client();
  gearman_job_handle_t handle = "left";
  gearman_client_add_options(client, GEARMAN_CLIENT_NON_BLOCKING);
  CHECK_RC(GEARMAN_IO_WAIT, gearman_client_do_background(client, "sent", "unwaited", "x", 1, handle));
  CHECK_TEXT("", handle);
  gearman_client_free(client);
  /* It is there all the same. */
  client = new_client();
  gearman_status_t status = gearman_client_unique_status(client, "unwaited", 8);
  CHECK(gearman_status_is_known(status));
  gearman_client_free(client);
}

static void cancelled(void) {
  gearman_client_st *client = new_client();
  gearman_job_handle_t unknown = "H:nowhere:1";
  CHECK_RC(GEARMAN_JOB_NOT_FOUND, gearman_client_cancel_job(client, unknown));
  gearman_client_free(client);
}

int main(int argc, char **argv) {
  brokers(argc, argv);
  foreground();
  background();
  one_unique_one_job();
  refusals();
  the_next_server();
  without_waiting();
  cancelled();
  return 0;
}
