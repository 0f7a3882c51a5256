/* The whole of libgearman. */

#pragma once

#ifdef __cplusplus
#include <cstring>
#else
#include <stdbool.h>
#include <string.h>
#endif
#include <inttypes.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>

#include <libgearman-1.0/actions.h>
#include <libgearman-1.0/aggregator.h>
#include <libgearman-1.0/allocator.h>
#include <libgearman-1.0/argument.h>
#include <libgearman-1.0/connection.h>
#include <libgearman-1.0/constants.h>
#include <libgearman-1.0/function.h>
#include <libgearman-1.0/interface/client.h>
#include <libgearman-1.0/interface/job.h>
#include <libgearman-1.0/interface/status.h>
#include <libgearman-1.0/interface/task.h>
#include <libgearman-1.0/interface/worker.h>
#include <libgearman-1.0/job_handle.h>
#include <libgearman-1.0/kill.h>
#include <libgearman-1.0/limits.h>
#include <libgearman-1.0/priority.h>
#include <libgearman-1.0/protocol.h>
#include <libgearman-1.0/result.h>
#include <libgearman-1.0/return.h>
#include <libgearman-1.0/signal.h>
#include <libgearman-1.0/string.h>
#include <libgearman-1.0/task_attr.h>
#include <libgearman-1.0/version.h>
#include <libgearman-1.0/visibility.h>

/* Takes a line of the log, which has the level `verbose`. */
typedef void(gearman_log_fn)(const char *line, gearman_verbose_t verbose, void *context);
/* Called where a task with a context is freed. */
typedef void(gearman_task_context_free_fn)(gearman_task_st *task, void *context);
/* Takes one server of a list; see gearman_parse_servers(). */
typedef gearman_return_t(gearman_parse_server_fn)(const char *host, in_port_t port, void *context);

#include <libgearman-1.0/functions.h>
