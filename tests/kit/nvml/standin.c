/* Stands in for NVIDIA's libnvidia-ml.so.1, so that the real pynvml can be tested without a GPU.
 * Every call reads the text file that NVML_STANDIN names: "WHO KEY VALUE...", where WHO is a device or "driver".
 * A key that is missing is NOT_SUPPORTED. Slice K of device N is the device 100*(N+1)+K. See tests/kit/nvml/__init__.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7 };
typedef unsigned long long u64;
typedef struct { unsigned pid; u64 used; unsigned gpu_instance, compute_instance; } process_t;

/* The value of the nth line of a key; OK, an error of the device as a whole, or NOT_SUPPORTED. */
static int find(int who, const char *key, int nth, char *value) {
    char line[512], name[16], found[64], want[16];
    int rest, result = NOT_SUPPORTED;
    FILE *file = fopen(getenv("NVML_STANDIN"), "r");
    if (!file) return 999;
    snprintf(want, sizeof want, who < 0 ? "driver" : "%d", who);
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%15s %63s %n", name, found, &rest) < 2 || strcmp(name, want)) continue;
        line[strcspn(line, "\n")] = 0;
        if (!strcmp(found, "error")) { result = atoi(line + rest); break; }
        if (!strcmp(found, key) && nth-- == 0) { strcpy(value, line + rest); result = OK; }
    }
    fclose(file);
    return result;
}

static int number(void *device, const char *key, unsigned *value) {
    char text[512];
    int result = find((int)(long)device - 1, key, 0, text);
    if (result == OK) *value = (unsigned)strtoul(text, 0, 10);
    return result;
}

static int text(void *device, const char *key, char *value) {
    return find((int)(long)device - 1, key, 0, value);
}

int nvmlInitWithFlags(unsigned flags) { char v[512]; int r = find(-1, "-", 0, v); return r == NOT_SUPPORTED ? OK : r; }
int nvmlSystemGetDriverVersion(char *v, unsigned n) { return text(0, "version", v); }
int nvmlSystemGetCudaDriverVersion_v2(int *v) { unsigned n = 0; int r = number(0, "cuda", &n); *v = n; return r; }
int nvmlShutdown(void) { return OK; }
int nvmlDeviceGetCount_v2(unsigned *count) { return number(0, "gpus", count); }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **device) { *device = (void *)(long)(i + 1); return OK; }
int nvmlDeviceGetUUID(void *d, char *v, unsigned n) { return text(d, "uuid", v); }
int nvmlDeviceGetName(void *d, char *v, unsigned n) { return text(d, "name", v); }
int nvmlDeviceGetTemperature(void *d, int sensor, unsigned *v) { return number(d, "temperature", v); }
int nvmlDeviceGetPowerUsage(void *d, unsigned *v) { return number(d, "power", v); }
int nvmlDeviceGetEnforcedPowerLimit(void *d, unsigned *v) { return number(d, "limit", v); }
int nvmlDeviceGetCudaComputeCapability(void *d, int *major, int *minor) {
    char v[512];
    int result = text(d, "capability", v);
    if (result == OK) sscanf(v, "%d %d", major, minor);
    return result;
}
int nvmlDeviceGetMaxMigDeviceCount(void *d, unsigned *v) { return number(d, "slices", v); }
int nvmlDeviceGetMigMode(void *d, unsigned *now, unsigned *later) { *later = 0; return number(d, "mig", now); }

static int reasons(void *d, const char *key, u64 *v) { unsigned n = 0; int r = number(d, key, &n); *v = n; return r; }
int nvmlDeviceGetCurrentClocksEventReasons(void *d, u64 *v) { return reasons(d, "throttle", v); }
int nvmlDeviceGetCurrentClocksThrottleReasons(void *d, u64 *v) { return reasons(d, "old_throttle", v); }

int nvmlDeviceGetUtilizationRates(void *d, unsigned *v) { v[1] = 0; return number(d, "utilization", v); }

static int memory(void *d, const char *key, u64 *total, u64 *used) {
    char v[512];
    int result = text(d, key, v);
    if (result == OK) sscanf(v, "%llu %llu", total, used);
    return result;
}
int nvmlDeviceGetMemoryInfo(void *d, u64 *m) { return memory(d, "old_memory", m, m + 2); }
int nvmlDeviceGetMemoryInfo_v2(void *d, u64 *m) { return memory(d, "memory", m + 1, m + 4); }

int nvmlDeviceGetMigDeviceHandleByIndex(void *d, unsigned i, void **slice) {
    char v[512];
    *slice = (void *)(100 * (long)d + i + 1);
    return text(*slice, "uuid", v) == OK ? OK : NOT_FOUND;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *d, unsigned *count, process_t *found) {
    char v[512];
    unsigned n = 0;
    int result;
    if (text(d, "untold", v) == OK) return NOT_SUPPORTED;
    while ((result = find((int)(long)d - 1, "process", n, v)) == OK) {
        if (found && n < *count) {
            long long used = -1; /* "not available", as the driver says it */
            sscanf(v, "%u %lld", &found[n].pid, &used);
            found[n].used = (u64)used;
        }
        n++;
    }
    if (result != NOT_SUPPORTED) return result;
    result = n > *count || (n && !found) ? INSUFFICIENT_SIZE : OK;
    *count = n;
    return result;
}
