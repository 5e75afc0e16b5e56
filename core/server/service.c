#include "server/service.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"
#include "ports/clock.h"

struct service {
    struct clock *clock;
    struct timer watchdog;
    uint64_t pace_ms; /* half of what systemd waits; 0: it does not */
    char **names;     /* of the passed sockets, from SD_LISTEN_FDS_START on */
    int count;
    bool *taken;
};

static void on_watchdog(struct timer *timer)
{
    struct service *service = CONTAINER(timer, struct service, watchdog);
    sd_notify(0, "WATCHDOG=1");
    clock_after(service->clock, timer, service->pace_ms);
}

struct service *service_new(struct clock *clock)
{
    struct service *service = xcalloc(1, sizeof(*service));
    uint64_t watchdog_us = 0;
    service->clock = clock;
    timer_init(&service->watchdog, on_watchdog);
    if (sd_watchdog_enabled(1, &watchdog_us) > 0) service->pace_ms = watchdog_us / 2000 + 1;
    service->count = sd_listen_fds_with_names(1, &service->names);
    if (service->count < 0) service->count = 0;
    service->taken = xcalloc((size_t)service->count + 1, sizeof(bool));
    return service;
}

void service_free(struct service *service)
{
    clock_cancel(service->clock, &service->watchdog);
    for (int i = 0; i < service->count; i++) {
        if (!service->taken[i]) close(SD_LISTEN_FDS_START + i);
        free(service->names[i]); /* libsystemd's own, as the list is */
    }
    free(service->names);
    xfree(service->taken);
    xfree(service);
}

int service_take(struct service *service, const char *address)
{
    const char *name = strchr(address, ':');
    for (int i = 0; i < service->count; i++) {
        if (service->taken[i] || (name && strcmp(name + 1, service->names[i]) != 0)) continue;
        service->taken[i] = true;
        return SD_LISTEN_FDS_START + i;
    }
    return -1;
}

void service_explain(const struct service *service, const char *address, struct buf *error)
{
    buf_printf(error, "cannot listen on %s: systemd passed no socket ", address);
    if (!service->count) {
        buf_add_text(error, "at all; start the socket unit, or name an address");
        return;
    }
    buf_add_text(error, "of this name that is not in use already; it passed");
    for (int i = 0; i < service->count; i++)
        buf_printf(error, "%s %s", i ? "," : "", service->names[i]);
}

void service_ready(struct service *service, const char *status)
{
    sd_notifyf(0, "READY=1\nSTATUS=%s", status);
    if (service->pace_ms && !timer_armed(&service->watchdog)) on_watchdog(&service->watchdog);
}

void service_reloading(struct service *service)
{
    struct timespec now;
    (void)service;
    clock_gettime(CLOCK_MONOTONIC, &now);
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reloading",
               (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000);
}

void service_stopping(struct service *service, const char *status)
{
    (void)service;
    sd_notifyf(0, "STOPPING=1\nSTATUS=%s", status);
}

uint64_t service_patience_ms(const struct service *service)
{
    return service->pace_ms * 2;
}

static void set_number(const char *name, unsigned long long number)
{
    char text[24];
    snprintf(text, sizeof(text), "%llu", number);
    setenv(name, text, 1);
}

static void pass_sockets(const struct service *service)
{
    struct buf names = BUF_EMPTY;
    if (!service->count) return;
    for (int i = 0; i < service->count; i++) {
        buf_printf(&names, "%s%s", i ? ":" : "", service->names[i]);
        fcntl(SD_LISTEN_FDS_START + i, F_SETFD, 0);
    }
    set_number("LISTEN_PID", (unsigned long long)getpid());
    set_number("LISTEN_FDS", (unsigned long long)service->count);
    setenv("LISTEN_FDNAMES", buf_text(&names), 1);
    buf_destroy(&names);
}

void service_pass_on(const struct service *service, const char *manager)
{
    pass_sockets(service);
    setenv("NOTIFY_SOCKET", manager, 1);
    if (!service->pace_ms) return;
    set_number("WATCHDOG_PID", (unsigned long long)getpid());
    set_number("WATCHDOG_USEC", (unsigned long long)service->pace_ms * 2000);
}
