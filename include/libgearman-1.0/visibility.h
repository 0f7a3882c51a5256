/* How functions of the library are marked. */

#pragma once

#if defined(__GNUC__) || defined(__clang__)
#define GEARMAN_API __attribute__((visibility("default")))
#define GEARMAN_LOCAL __attribute__((visibility("hidden")))
#define GEARMAN_API_DEPRECATED __attribute__((deprecated, visibility("default")))
#else
#define GEARMAN_API
#define GEARMAN_LOCAL
#define GEARMAN_API_DEPRECATED
#endif
#define GEARMAN_INTERNAL_API GEARMAN_LOCAL
#define GEARMAN_DEPRECATED_API GEARMAN_API_DEPRECATED
