# The contract: freestanding, for hosts and guests alike.
LIBS += protocol
protocol_SRCS := \
	protocol/guid.c \
	protocol/hypervisor.c \
	protocol/ic.c \
	protocol/kvp.c \
	protocol/kvp_address.c \
	protocol/kvp_ip.c \
	protocol/packet.c \
	protocol/ring.c \
	protocol/utf16.c \
	protocol/vmbus.c \

FREESTANDING += $(protocol_SRCS)
