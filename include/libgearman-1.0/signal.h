/* What gearman_kill() says to a worker. */

#pragma once

/* GEARMAN_INTERRUPT and GEARMAN_KILL are older names. */
typedef enum gearman_signal_t {
  GEARMAN_SIGNAL_CHECK = 0,
  GEARMAN_SIGNAL_INTERRUPT = 1,
  GEARMAN_SIGNAL_KILL = 2,
  GEARMAN_SIGNAL_KILLWAIT = 3,
  GEARMAN_INTERRUPT = GEARMAN_SIGNAL_INTERRUPT,
  GEARMAN_KILL = GEARMAN_SIGNAL_KILL
} gearman_signal_t;
