#define _GNU_SOURCE
#include "CSockets.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

int csockets_peer(int descriptor, unsigned int *uid, unsigned int *gid, int *pid) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
        return -1;
    }
    *uid = credentials.uid;
    *gid = credentials.gid;
    *pid = credentials.pid;
    return 0;
}

int csockets_peer_groups(int descriptor, unsigned int *groups, int capacity) {
    socklen_t length = (socklen_t)capacity * sizeof *groups;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERGROUPS, groups, &length) != 0) {
        return -1;
    }
    return (int)(length / sizeof *groups);
}

int csockets_accept(int listener) {
    return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

long csockets_send_descriptor(int socket, const void *bytes, long count, int descriptor) {
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof descriptor)];
    } control;
    memset(&control, 0, sizeof control);
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = (size_t)count};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.space};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof descriptor);
    memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

long csockets_receive(int socket, void *bytes, long count, int *descriptors, int capacity, int *received) {
    enum { most = 253 }; // SCM_MAX_FD: the kernel puts no more into one message.
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(most * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = bytes, .iov_len = (size_t)count};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.space};
    *received = 0;
    long length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (length < 0) {
        return length;
    }
    int isTruncated = (message.msg_flags & MSG_CTRUNC) != 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        int number = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int index = 0; index < number; index++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(header) + index * sizeof descriptor, sizeof descriptor);
            if (isTruncated || *received == capacity) {
                close(descriptor);
                isTruncated = 1;
            } else {
                descriptors[(*received)++] = descriptor;
            }
        }
    }
    if (isTruncated) {
        while (*received > 0) {
            close(descriptors[--*received]);
        }
        *received = -1;
    }
    return length;
}

int csockets_unread(int socket) {
    int bytes = 0;
    return ioctl(socket, TIOCOUTQ, &bytes) == 0 ? bytes : -1;
}
