/* How a job stands. */

#pragma once

#include <libgearman-1.0/return.h>
#include <stdint.h>

typedef enum gearman_status_version_t {
  GEARMAN_STATUS_V1 = 0
} gearman_status_version_t;

/* To be read with gearman_status_is_known() and its kin. */
struct gearman_status_t {
  gearman_status_version_t version_;
  union {
    struct {
      gearman_return_t result_rc;
      bool is_known;
      bool is_running;
      uint32_t numerator;
      uint32_t denominator;
      uint32_t client_count;
    } mesg_;
    uint8_t raw_[20];
  } status_;
};

#ifndef __cplusplus
typedef struct gearman_status_t gearman_status_t;
#endif
