# The contract: freestanding, for hosts and guests alike.
LIBS += protocol
protocol_SRCS := \
	protocol/guid.c \
	protocol/hypervisor.c \
	protocol/ic.c \
	protocol/packet.c \
	protocol/ring.c \
	protocol/vmbus.c \

FREESTANDING += $(protocol_SRCS)
