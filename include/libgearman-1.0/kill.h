/* How a worker is woken. */

#pragma once

#include <libgearman-1.0/signal.h>

/* A worker's wake-up pipe; see gearman_kill(). */
typedef struct gearman_id_t {
  int read_fd;
  int write_fd;
} gearman_id_t;

#define GEARMAN_ID_INITIALIZER { -1, -1 }
