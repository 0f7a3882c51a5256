/* Where programs look for it first. */

#pragma once

#include <libgearman-1.0/gearman.h>
