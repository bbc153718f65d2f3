// SPDX-License-Identifier: Apache-2.0
/*
 * The DSDT of a machine: what a guest cannot find by asking. Compiled by iasl at build time;
 * acpi.c copies it into guest memory and builds the other tables. The numbers are those of
 * layout.h, and tests/unit/test_acpi.c compares them.
 *
 * Sources: ACPI 6.5 sections 5.2.9 (hardware-reduced), 5.6.9 (generic event device), 6.1, 6.4,
 * 7.4.2 (\_S5); the layout of Hyper-V generation-2 firmware for VMOD and VMBS; Microsoft's
 * "Virtual Machine Generation ID" for VGEN.
 */
DefinitionBlock ("acpi.aml", "DSDT", 2, "VIRIDN", "VIRIDIAN", 0x00000001)
{
	/* Power off: the type that the sleep control register takes. */
	Name (\_S5, Package () { 0x05, 0x00 })

	/* What differs from machine to machine: struct acpi_info_wire of acpi.c. */
	OperationRegion (INFO, SystemMemory, 0x000EE000, 0x18)
	Field (INFO, QWordAcc, NoLock, Preserve)
	{
		HMIN, 64,	/* high window of the VMBus: first address, */
		HLEN, 64,	/* bytes, 0 if there is none */
		HPCI, 64,	/* 1: there is a PCI root */
	}

	Scope (\_SB)
	{
		/* Container of the VMBus: it owns the windows that devices on the bus share. */
		Device (VMOD)
		{
			Name (_HID, "ACPI0004")
			Name (_UID, Zero)
			Name (LOWW, ResourceTemplate ()
			{
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					Cacheable, ReadWrite, 0x00000000, 0xF8000000, 0xFBFFFFFF,
					0x00000000, 0x04000000)
			})
			Name (BOTH, ResourceTemplate ()
			{
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					Cacheable, ReadWrite, 0x00000000, 0xF8000000, 0xFBFFFFFF,
					0x00000000, 0x04000000)
				QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					Cacheable, ReadWrite, 0x0000000000000000,
					0x0000000000000000, 0x0000000000000000,
					0x0000000000000000, 0x0000000000000001, , , HIGH)
			})
			Method (_CRS, 0, Serialized)
			{
				If (HLEN == Zero)
				{
					Return (LOWW)
				}
				CreateQWordField (BOTH, ^HIGH._MIN, MINW)
				CreateQWordField (BOTH, ^HIGH._MAX, MAXW)
				CreateQWordField (BOTH, ^HIGH._LEN, LENW)
				MINW = HMIN
				LENW = HLEN
				MAXW = HMIN + HLEN - One
				Return (BOTH)
			}

			Device (VMBS)
			{
				Name (_HID, "MSFT1000")
				Name (_CID, "VMBus")
				Name (_DDN, "VMBUS")
				Name (_UID, Zero)
				Method (_STA, 0, NotSerialized)
				{
					Return (0x0F)
				}
				/* Guests want one to be there; the windows are the container's. */
				Name (_CRS, Buffer () { 0x79, 0x00 })
			}
		}

		/* The first serial port. */
		Device (COM1)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_DDN, "COM1")
			Name (_UID, One)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x03F8, 0x03F8, 0x01, 0x08)
				Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { 4 }
			})
		}

		/* The clock of wall time. No alarm: its interrupt is not wired. */
		Device (RTC0)
		{
			Name (_HID, EisaId ("PNP0B00"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0070, 0x0070, 0x01, 0x02)
			})
		}

		/*
		 * 128 random bits that change when the machine is copied or turned back in
		 * time, so that no random number or name is given out twice.
		 */
		Device (VGEN)
		{
			Name (_HID, "VRDN0001")
			Name (_CID, "VM_Gen_Counter")
			Name (_DDN, "VM_Gen_Counter")
			Method (ADDR, 0, NotSerialized)
			{
				Return (Package () { 0x000EF000, 0x00000000 })
			}
		}

		/* For the emulated disk alone: device 1 is its controller, on pin 14. */
		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A03"))
			Name (_UID, Zero)
			Method (_STA, 0, NotSerialized)
			{
				If (HPCI == Zero)
				{
					Return (Zero)
				}
				Return (0x0F)
			}
			Name (_CRS, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
					0x0000, 0x0000, 0x0000, 0x0000, 0x0001)
				IO (Decode16, 0x0CF8, 0x0CF8, 0x01, 0x08)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0x0000, 0x0100, 0x03F7, 0x0000, 0x02F8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0x0000, 0xC000, 0xC0FF, 0x0000, 0x0100)
			})
			Name (_PRT, Package ()
			{
				Package () { 0x0001FFFF, Zero, Zero, 14 }
			})
		}

		/* Tells the guest: the only event is a new generation. */
		Device (GED0)
		{
			Name (_HID, "ACPI0013")
			Name (_UID, Zero)
			Name (_CRS, ResourceTemplate ()
			{
				Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { 9 }
			})
			Method (_EVT, 1, Serialized)
			{
				If (Arg0 == 0x09)
				{
					Notify (VGEN, 0x80)
				}
			}
		}
	}
}
