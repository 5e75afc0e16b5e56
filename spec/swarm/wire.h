/* wire: non-blocking connections to nodes, which may be dead, stopped or gone at any time. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

/* Begins to connect; -1: refused at once. */
int wire_connect(const struct sockaddr_in *to);

/* Once it is writable: does the connection stand? */
bool wire_stands(int fd);

/* Sends what is short enough for the socket to take it at once. */
bool wire_send(int fd, const char *bytes, size_t length);

/* The next close resets the connection. */
void wire_harden(int fd);
