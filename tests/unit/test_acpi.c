// SPDX-License-Identifier: Apache-2.0
/*
 * The ACPI tables of a machine: sums and places from the ACPI specification, fields as the
 * disassembler of another implementation (iasl -d) reads them, and the DSDT as its
 * interpreter (acpiexec) runs it, against layout.h.
 */
#include "host/machine/acpi.h"

#include "host/machine/layout.h"
#include "tests/harness.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VPS 3u

static uint8_t bios[LAYOUT_BIOS_BYTES];

static uint64_t get(uint64_t gpa, unsigned width)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < width; i++)
		value |= (uint64_t)bios[gpa - LAYOUT_BIOS + i] << 8 * i;
	return value;
}

static uint8_t sum(uint64_t gpa, uint64_t bytes)
{
	uint8_t total = 0;
	for (uint64_t i = 0; i < bytes; i++)
		total = (uint8_t)(total + get(gpa + i, 1));
	return total;
}

static void build(uint32_t vp_count)
{
	const struct acpi_config config = {.vp_count = vp_count};

	memset(bios, 0, sizeof bios);
	acpi_build(&config, bios);
}

/* The table of that signature, by the XSDT. */
static uint64_t table_find(const char *signature)
{
	const uint64_t xsdt = get(LAYOUT_RSDP + 24, 8);
	const uint64_t bytes = get(xsdt + 4, 4);

	for (uint64_t at = 36; at < bytes; at += 8) {
		const uint64_t table = get(xsdt + at, 8);
		if (memcmp(bios + (table - LAYOUT_BIOS), signature, 4) == 0)
			return table;
	}
	CU_FAIL_FATAL("no such table");
	return 0;
}

static void rsdp_leads_to_the_same_tables_by_both_ways(void)
{
	build(VPS);
	CU_ASSERT_EQUAL(memcmp(bios + (LAYOUT_RSDP - LAYOUT_BIOS), "RSD PTR ", 8), 0);
	CU_ASSERT_EQUAL(get(LAYOUT_RSDP + 15, 1), 2); /* revision */
	CU_ASSERT_EQUAL(get(LAYOUT_RSDP + 20, 4), 36);
	CU_ASSERT_EQUAL(sum(LAYOUT_RSDP, 20), 0);
	CU_ASSERT_EQUAL(sum(LAYOUT_RSDP, 36), 0);
	const uint64_t rsdt = get(LAYOUT_RSDP + 16, 4), xsdt = get(LAYOUT_RSDP + 24, 8);
	CU_ASSERT_EQUAL(memcmp(bios + (rsdt - LAYOUT_BIOS), "RSDT", 4), 0);
	CU_ASSERT_EQUAL(memcmp(bios + (xsdt - LAYOUT_BIOS), "XSDT", 4), 0);
	CU_ASSERT_EQUAL(get(rsdt + 4, 4), 36 + 2 * 4);
	CU_ASSERT_EQUAL(get(xsdt + 4, 4), 36 + 2 * 8);
	for (unsigned i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(get(rsdt + 36 + 4 * i, 4), get(xsdt + 36 + 8 * i, 8));
}

static void every_table_sums_to_zero_and_has_its_place(void)
{
	build(64);
	const uint64_t fadt = table_find("FACP");
	const uint64_t tables[] = {get(LAYOUT_RSDP + 16, 4), get(LAYOUT_RSDP + 24, 8), fadt,
		table_find("APIC"), get(fadt + 140, 8)};
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		const uint64_t bytes = get(tables[i] + 4, 4);
		CU_ASSERT_EQUAL(sum(tables[i], bytes), 0);
		CU_ASSERT_EQUAL(tables[i] % 16, 0);
		CU_ASSERT(tables[i] >= LAYOUT_BIOS && tables[i] + bytes <= LAYOUT_ACPI_INFO);
		for (size_t j = 0; j < i; j++)
			CU_ASSERT(tables[i] + bytes <= tables[j] ||
				  tables[j] + get(tables[j] + 4, 4) <= tables[i]);
	}
	CU_ASSERT_EQUAL(get(fadt + 40, 4), get(fadt + 140, 8)); /* DSDT and X_DSDT */
}

/* ---- as another implementation sees it ------------------------------------------------------ */

static char output[1 << 20];

/* Run a shell command in a folder of its own, with the table in "table.dat"; all it says. */
static void tool_run(uint64_t table, const char *command)
{
	char folder[] = "/tmp/viridian-test-XXXXXX", line[512];

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	snprintf(line, sizeof line, "%s/table.dat", folder);
	FILE *file = fopen(line, "wb");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	const uint64_t bytes = get(table + 4, 4);
	CU_ASSERT_EQUAL(fwrite(bios + (table - LAYOUT_BIOS), 1, bytes, file), bytes);
	fclose(file);
	snprintf(line, sizeof line, "cd %s && { %s; } 2>&1", folder, command);
	FILE *pipe = popen(line, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(pipe);
	const size_t got = fread(output, 1, sizeof output - 1, pipe);
	output[got] = '\0';
	CU_ASSERT_EQUAL(pclose(pipe), 0);
	snprintf(line, sizeof line, "rm -r %s", folder);
	CU_ASSERT_EQUAL(system(line), 0);
}

#define DISASSEMBLE "iasl -vs -d table.dat >log || cat log; cat table.dsl"

/* Behind each of the words in turn, up to NULL: the hexadecimal number. ~0: not there. */
static uint64_t number(const char *const words[])
{
	const char *at = output;

	for (; *words; words++) {
		at = strstr(at, *words);
		if (!at)
			return UINT64_MAX;
		at += strlen(*words);
	}
	return strtoull(at, NULL, 16);
}
#define NUMBER(...) number((const char *const[]){__VA_ARGS__, NULL})

static bool says(const char *words)
{
	return strstr(output, words) != NULL;
}

static void fadt_reads_as_a_hardware_reduced_machine(void)
{
	build(VPS);
	tool_run(table_find("FACP"), DISASSEMBLE);
	CU_ASSERT(says("Hardware Reduced (V5) : 1"));
	CU_ASSERT(says("Reset Register Supported (V2) : 1"));
	CU_ASSERT(says("WBINVD instruction is operational (V1) : 1"));
	CU_ASSERT(says("Control Method Power Button (V1) : 1"));
	CU_ASSERT(says("Control Method Sleep Button (V1) : 1"));
	CU_ASSERT(says("8042 Present on ports 60/64 (V2) : 0"));
	CU_ASSERT(says("VGA Not Present (V4) : 1"));
	CU_ASSERT(says("CMOS RTC Not Present (V5) : 0"));
	CU_ASSERT_EQUAL(NUMBER("Table Length : "), 276);
	CU_ASSERT_EQUAL(NUMBER("Revision : "), 6);
	CU_ASSERT_EQUAL(NUMBER("PM Timer Block Address : "), 0);
	CU_ASSERT_EQUAL(NUMBER("FACS Address : "), 0);
	static const struct {
		const char *name;
		uint64_t port;
	} registers[] = {
		{"Reset Register", LAYOUT_PORT_RESET},
		{"Sleep Control Register", LAYOUT_PORT_SLEEP_CONTROL},
		{"Sleep Status Register", LAYOUT_PORT_SLEEP_STATUS},
	};
	for (size_t i = 0; i < sizeof registers / sizeof *registers; i++) {
		const char *name = registers[i].name;
		CU_ASSERT_EQUAL(NUMBER(name, "[Generic", "Space ID : "), 1); /* I/O */
		CU_ASSERT_EQUAL(NUMBER(name, "[Generic", "Bit Width : "), 8);
		CU_ASSERT_EQUAL(NUMBER(name, "[Generic", "Address : "), registers[i].port);
	}
	CU_ASSERT_EQUAL(NUMBER("Value to cause reset : "), LAYOUT_RESET_VALUE);
}

static void madt_reads_as_a_local_apic_each_vp_and_one_ioapic(void)
{
	build(VPS);
	tool_run(table_find("APIC"), DISASSEMBLE);
	CU_ASSERT_EQUAL(NUMBER("Local Apic Address : "), LAYOUT_LOCAL_APIC);
	CU_ASSERT(says("PC-AT Compatibility : 0"));
	CU_ASSERT_EQUAL(NUMBER("[I/O APIC]", "Address : "), LAYOUT_IOAPIC);
	CU_ASSERT_EQUAL(NUMBER("[I/O APIC]", "Interrupt : "), 0);
	CU_ASSERT_EQUAL(NUMBER("[Local APIC NMI]", "Processor ID : "), 0xff);
	CU_ASSERT_EQUAL(NUMBER("[Local APIC NMI]", "LINT : "), 1);
	const char *words[VPS + 3] = {0};
	for (unsigned vp = 0; vp < VPS; vp++) {
		words[vp] = "[Processor Local APIC]";
		words[vp + 1] = "Local Apic ID : ";
		words[vp + 2] = NULL;
		CU_ASSERT_EQUAL(number(words), vp);
		words[vp + 1] = "Processor Enabled : ";
		CU_ASSERT_EQUAL(number(words), 1);
	}
	words[VPS] = "[Processor Local APIC]";
	words[VPS + 1] = NULL;
	CU_ASSERT_EQUAL(number(words), UINT64_MAX);
}

static uint64_t dsdt(void)
{
	build(VPS);
	return get(table_find("FACP") + 140, 8);
}

static void dsdt_has_what_drivers_look_for(void)
{
	static const char *const names[] = {"Name (_CID, \"VMBus\")", "Name (_DDN, \"VMBUS\")",
		"Name (_HID, \"ACPI0004\"", "Name (_HID, EisaId (\"PNP0501\")",
		"Name (_HID, EisaId (\"PNP0B00\")", "Name (_HID, \"ACPI0013\"",
		"Name (_CID, \"VM_Gen_Counter\")", "Name (_DDN, \"VM_Gen_Counter\")"};

	tool_run(dsdt(), DISASSEMBLE);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		CU_ASSERT(says(names[i]));
}

/* Run commands of the interpreter, one a line; INFO as `high` says. */
static void interpret(const char *commands, uint64_t high, uint64_t high_bytes)
{
	char line[400];
	snprintf(line, sizeof line,
		"printf '\\\\HMIN 0x%llx\\n\\\\HLEN 0x%llx\\n' >init && "
		"printf '%s\\nquit\\n' | acpiexec -fi init table.dat",
		(unsigned long long)high, (unsigned long long)high_bytes, commands);
	tool_run(dsdt(), line);
}

static void dsdt_s5_is_the_sleep_type_of_power_off(void)
{
	interpret("execute \\\\_S5", 0, 0);
	CU_ASSERT_EQUAL(NUMBER("Contains 2 Elements", "[Integer] = "), 5);
}

static void dsdt_vmbus_has_the_windows_of_the_layout(void)
{
	interpret("execute \\\\_SB.VMOD.VMBS._STA", 0, 0);
	CU_ASSERT_EQUAL(NUMBER("[Integer] = "), 0xf);

	interpret("resources \\\\_SB.VMOD", 0, 0);
	const uint64_t end = LAYOUT_VMBUS_MMIO + LAYOUT_VMBUS_MMIO_BYTES;
	const char *const low = "32-Bit DWORD Address Space", *const wide = "64-Bit QWORD Address";
	CU_ASSERT_EQUAL(NUMBER(low, "Address Minimum : "), LAYOUT_VMBUS_MMIO);
	CU_ASSERT_EQUAL(NUMBER(low, "Address Maximum : "), end - 1);
	CU_ASSERT_EQUAL(NUMBER(low, "Address Length : "), LAYOUT_VMBUS_MMIO_BYTES);
	CU_ASSERT_FALSE(says(wide));

	const uint64_t high = LAYOUT_VMBUS_HIGH_MMIO(40);
	CU_ASSERT_EQUAL(high, 0xf000000000);
	interpret("resources \\\\_SB.VMOD", high, LAYOUT_VMBUS_HIGH_MMIO_BYTES);
	CU_ASSERT_EQUAL(NUMBER(low, "Address Minimum : "), LAYOUT_VMBUS_MMIO);
	CU_ASSERT_EQUAL(NUMBER(wide, "Address Minimum : "), high);
	CU_ASSERT_EQUAL(NUMBER(wide, "Address Maximum : "), (1ull << 40) - 1);
	CU_ASSERT_EQUAL(NUMBER(wide, "Address Length : "), LAYOUT_VMBUS_HIGH_MMIO_BYTES);
}

static void dsdt_devices_have_the_ports_and_lines_of_the_layout(void)
{
	interpret("resources \\\\_SB.COM1", 0, 0);
	CU_ASSERT_EQUAL(NUMBER("Address Minimum : "), LAYOUT_PORT_COM1);
	CU_ASSERT_EQUAL(NUMBER("Address Length : "), 8);
	CU_ASSERT(says("Triggering : Edge"));
	CU_ASSERT_EQUAL(NUMBER("Dword00 : "), LAYOUT_LINE_COM1);

	interpret("resources \\\\_SB.RTC0", 0, 0);
	CU_ASSERT_EQUAL(NUMBER("Address Minimum : "), LAYOUT_PORT_CMOS);
	CU_ASSERT_FALSE(says("IRQ Resource"));

	interpret("resources \\\\_SB.GED0", 0, 0);
	CU_ASSERT_EQUAL(NUMBER("Dword00 : "), LAYOUT_LINE_EVENT);
}

static void dsdt_generation_counter_has_its_address_and_its_event(void)
{
	char command[64];

	interpret("execute \\\\_SB.VGEN.ADDR", 0, 0);
	CU_ASSERT_EQUAL(NUMBER("Contains 2 Elements", "[Integer] = "), LAYOUT_GENERATION);
	CU_ASSERT_EQUAL(NUMBER("Contains 2 Elements", "[Integer] = ", "[Integer] = "), 0);
	snprintf(command, sizeof command, "execute \\\\_SB.GED0._EVT %d", LAYOUT_LINE_EVENT);
	interpret(command, 0, 0);
	CU_ASSERT(says("Device Notify on [VGEN]"));
	CU_ASSERT_EQUAL(NUMBER("Device Notify on [VGEN]", "Value "), 0x80);
}

/* The region that the DSDT reads, as an operation region of 24 bytes there. */
static void dsdt_reads_the_info_page(void)
{
	const struct acpi_config config = {
		.vp_count = 1, .high_mmio = 0x1234567000, .high_mmio_bytes = 0x89000};

	tool_run(dsdt(), DISASSEMBLE);
	CU_ASSERT_EQUAL(NUMBER("OperationRegion (INFO, SystemMemory, "), LAYOUT_ACPI_INFO);
	memset(bios, 0, sizeof bios);
	acpi_build(&config, bios);
	CU_ASSERT_EQUAL(get(LAYOUT_ACPI_INFO, 8), 0x1234567000); /* HMIN */
	CU_ASSERT_EQUAL(get(LAYOUT_ACPI_INFO + 8, 8), 0x89000);	 /* HLEN */
	CU_ASSERT_EQUAL(sum(LAYOUT_ACPI_INFO + 16, 0xff0), 0);
	const struct acpi_config with_pci = {.vp_count = 1, .has_pci = true};
	memset(bios, 0, sizeof bios);
	acpi_build(&with_pci, bios);
	CU_ASSERT_EQUAL(get(LAYOUT_ACPI_INFO + 16, 8), 1); /* HPCI */
	CU_ASSERT_EQUAL(sum(LAYOUT_ACPI_INFO + 24, 0xfe8), 0);
}

static const struct test tests[] = {
	TEST(rsdp_leads_to_the_same_tables_by_both_ways),
	TEST(every_table_sums_to_zero_and_has_its_place),
	TEST(fadt_reads_as_a_hardware_reduced_machine),
	TEST(madt_reads_as_a_local_apic_each_vp_and_one_ioapic),
	TEST(dsdt_has_what_drivers_look_for),
	TEST(dsdt_s5_is_the_sleep_type_of_power_off),
	TEST(dsdt_vmbus_has_the_windows_of_the_layout),
	TEST(dsdt_devices_have_the_ports_and_lines_of_the_layout),
	TEST(dsdt_generation_counter_has_its_address_and_its_event),
	TEST(dsdt_reads_the_info_page),
};

TEST_MAIN("acpi", tests)
