/* What gearman_execute() hands to a function. */

#pragma once

#include <libgearman-1.0/string.h>

/* To be made with gearman_argument_make(). */
typedef struct gearman_argument_t {
  gearman_string_t name;
  gearman_string_t value;
} gearman_argument_t;
