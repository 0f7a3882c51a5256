/* Bytes with their number. */

#pragma once

#include <stddef.h>

/* Bytes that are somebody else's. */
typedef struct gearman_string_t {
  const char *c_str;
  const size_t size;
} gearman_string_t;

#define gearman_size(X) (X).size
#define gearman_c_str(X) (X).c_str
#define gearman_string_param(X) (X).c_str, (X).size
#define gearman_string_param_null NULL, 0
#define gearman_string_param_cstr(X) (X), ((X) ? strlen(X) : 0)
#define gearman_string_param_printf(X) (int)((X).size), (X).c_str
#ifdef __cplusplus
#define gearman_literal_param(X) (X), (static_cast<size_t>((sizeof(X) - 1)))
#endif
