/* Lists of servers as text, names of codes, versions. */

#include "check.h"

typedef struct expected {
  const char *host;
  in_port_t port;
} expected;

static gearman_return_t take(const char *host, in_port_t port, void *context) {
  expected **next = (expected **)context;
  CHECK((*next)->port == port);
  if ((*next)->host == NULL) {
    CHECK(host == NULL);
  } else {
    CHECK_TEXT((*next)->host, host);
  }
  ++*next;
  return GEARMAN_SUCCESS;
}

static gearman_return_t refuse(const char *host, in_port_t port, void *context) {
  (void)host;
  (void)port;
  ++*(int *)context;
  return GEARMAN_PAUSE;
}

static void lists(void) {
  expected rows[] = {{"a", 1}, {"", 0}, {"b c", 4730}, {NULL, 0}};
  expected *next = rows;
  int calls = 0;
  CHECK_RC(GEARMAN_SUCCESS, gearman_parse_servers("a:1,,b c:4730/?exceptions", take, &next));
  CHECK(next == rows + 3);
  CHECK_RC(GEARMAN_SUCCESS, gearman_parse_servers(NULL, take, &next));
  CHECK(next == rows + 4);
  CHECK_RC(GEARMAN_PAUSE, gearman_parse_servers("a,b", refuse, &calls));
  CHECK(calls == 1);
}

static void names(void) {
  CHECK_TEXT("GEARMAN_SUCCESS", gearman_strerror(GEARMAN_SUCCESS));
  CHECK_TEXT("GEARMAN_JOB_NOT_FOUND", gearman_strerror(GEARMAN_JOB_NOT_FOUND));
  CHECK_TEXT("GEARMAN_MAX_RETURN", gearman_strerror((gearman_return_t)1000));
  CHECK_TEXT("FATAL", gearman_verbose_name(GEARMAN_VERBOSE_FATAL));
  CHECK_TEXT("UNKNOWN", gearman_verbose_name((gearman_verbose_t)77));
  CHECK_TEXT(LIBGEARMAN_VERSION_STRING, gearman_version());
  CHECK(gearman_bugreport()[0] != '\0');
  CHECK(gearman_success(GEARMAN_SUCCESS) && gearman_failed(GEARMAN_WORK_FAIL) && gearman_continue(GEARMAN_PAUSE));
}

int main(void) {
  lists();
  names();
  return 0;
}
