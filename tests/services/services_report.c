// SPDX-License-Identifier: Apache-2.0
/*
 * Results of tests/system/test_services as one HTML page that needs nothing else.
 *
 *	services_report <LINES >services.html
 *
 * Lines, of which others are left out:
 *	title TEXT
 *	head TEXT|TEXT|…	the head of the table
 *	row TEXT|TEXT|…		a row; a cell that begins with ok or FAIL is coloured
 *	plot TITLE		a plot of what follows
 *	mark SECONDS TEXT	a vertical line with words
 *	at SECONDS MS		a point
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES  4096u
#define POINTS_MAX  4096u
#define MARKS_MAX   16u
#define TITLE_BYTES 256u
#define WIDTH	    900.0
#define HEIGHT	    260.0
#define LEFT	    90.0
#define TOP	    24.0
#define BOTTOM	    30.0

struct mark {
	double at;
	char text[TITLE_BYTES];
};

struct plot {
	char title[TITLE_BYTES];
	unsigned points, marks;
	double x[POINTS_MAX], y[POINTS_MAX];
	struct mark mark[MARKS_MAX];
};

static void escape(const char *text)
{
	for (; *text != '\0'; text++)
		switch (*text) {
		case '<':
			fputs("&lt;", stdout);
			break;
		case '>':
			fputs("&gt;", stdout);
			break;
		case '&':
			fputs("&amp;", stdout);
			break;
		default:
			putchar(*text);
		}
}

static double least(const double *values, unsigned count, double start)
{
	for (unsigned i = 0; i < count; i++)
		start = values[i] < start ? values[i] : start;
	return start;
}

static double most(const double *values, unsigned count, double start)
{
	for (unsigned i = 0; i < count; i++)
		start = values[i] > start ? values[i] : start;
	return start;
}

struct scale {
	double x0, x1, y0, y1;
};

static double across(const struct scale *s, double x)
{
	return LEFT + (x - s->x0) / (s->x1 - s->x0) * (WIDTH - LEFT - 10);
}

static double down(const struct scale *s, double y)
{
	return TOP + (s->y1 - y) / (s->y1 - s->y0) * (HEIGHT - TOP - BOTTOM);
}

static void axes(const struct scale *s)
{
	const bool is_seconds = s->y1 - s->y0 > 10000;
	for (unsigned i = 0; i <= 4; i++) {
		const double y = s->y0 + (s->y1 - s->y0) * i / 4;
		const double x = s->x0 + (s->x1 - s->x0) * i / 4;
		printf("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>"
		       "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.4g %s</text>"
		       "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.1f s</text>\n",
			LEFT, WIDTH - 10, down(s, y), down(s, y), LEFT - 6, down(s, y) + 4,
			is_seconds ? y / 1000 : y, is_seconds ? "s" : "ms", across(s, x),
			HEIGHT - 8, x);
	}
	printf("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#888\"/>\n", LEFT,
		WIDTH - 10, down(s, 0), down(s, 0));
}

static void plot_write(struct plot *plot)
{
	if (plot->points == 0)
		return;
	struct scale s = {
		.x0 = least(plot->x, plot->points, plot->x[0]),
		.x1 = most(plot->x, plot->points, plot->x[0]),
		.y0 = least(plot->y, plot->points, 0),
		.y1 = most(plot->y, plot->points, 0),
	};
	s.x1 += s.x1 == s.x0;
	const double margin = s.y1 > s.y0 ? (s.y1 - s.y0) * 0.05 : 1;
	s.y0 -= margin;
	s.y1 += margin;
	fputs("<h2>", stdout);
	escape(plot->title);
	printf("</h2><svg width=\"%.0f\" height=\"%.0f\" font-size=\"11\">\n", WIDTH, HEIGHT);
	axes(&s);
	for (unsigned i = 0; i < plot->marks; i++) {
		const double x = across(&s, plot->mark[i].at);
		printf("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#c0392b\" "
		       "stroke-dasharray=\"4 3\"/><text x=\"%.1f\" y=\"14\" fill=\"#c0392b\">",
			x, x, TOP, HEIGHT - BOTTOM, x + 3);
		escape(plot->mark[i].text);
		fputs("</text>\n", stdout);
	}
	fputs("<polyline fill=\"none\" stroke=\"#1f5fa8\" points=\"", stdout);
	for (unsigned i = 0; i < plot->points; i++)
		printf("%.1f,%.1f ", across(&s, plot->x[i]), down(&s, plot->y[i]));
	fputs("\"/>\n", stdout);
	for (unsigned i = 0; i < plot->points; i++)
		printf("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2\" fill=\"#1f5fa8\"/>",
			across(&s, plot->x[i]), down(&s, plot->y[i]));
	fputs("</svg>\n", stdout);
	plot->points = plot->marks = 0;
}

static void row_write(char *text, const char *tag)
{
	fputs("<tr>", stdout);
	for (char *cell = text; cell != NULL;) {
		char *next = strchr(cell, '|');
		if (next != NULL)
			*next++ = '\0';
		printf("<%s%s>", tag,
			strncmp(cell, "ok", 2) == 0	? " class=\"ok\""
			: strncmp(cell, "FAIL", 4) == 0 ? " class=\"fail\""
							: "");
		escape(cell);
		cell = next;
	}
	fputs("</tr>\n", stdout);
}

/* The rest of a line that begins with `word`, or NULL. */
static char *after(char *line, const char *word)
{
	const size_t bytes = strlen(word);
	return strncmp(line, word, bytes) == 0 && line[bytes] == ' ' ? line + bytes + 1 : NULL;
}

static void mark_add(struct plot *plot, char *rest)
{
	char *text;
	if (plot->marks == MARKS_MAX)
		return;
	struct mark *mark = &plot->mark[plot->marks++];
	mark->at = strtod(rest, &text);
	snprintf(mark->text, sizeof mark->text, "%.200s", text);
}

static void point_add(struct plot *plot, char *rest)
{
	char *value;
	if (plot->points == POINTS_MAX)
		return;
	plot->x[plot->points] = strtod(rest, &value);
	plot->y[plot->points++] = strtod(value, NULL);
}

int main(void)
{
	static struct plot plot;
	char line[LINE_BYTES];
	bool is_table = false;
	fputs("<!doctype html><meta charset=\"utf-8\"><title>Integration services</title>"
	      "<style>body{font:14px sans-serif;margin:2em}td,th{padding:2px 10px;text-align:left;"
	      "border-bottom:1px solid #ddd}td.ok{color:#2e8b57}td.fail{color:#fff;"
	      "background:#c0392b}</style>\n",
		stdout);
	while (fgets(line, sizeof line, stdin) != NULL) {
		char *rest;
		line[strcspn(line, "\r\n")] = '\0';
		const bool is_row = after(line, "row") != NULL || after(line, "head") != NULL;
		if (is_row != is_table)
			fputs(is_row ? "<table>\n" : "</table>\n", stdout);
		is_table = is_row;
		if ((rest = after(line, "title")) != NULL) {
			fputs("<h1>", stdout);
			escape(rest);
			fputs("</h1>\n", stdout);
		} else if ((rest = after(line, "head")) != NULL) {
			row_write(rest, "th");
		} else if ((rest = after(line, "row")) != NULL) {
			row_write(rest, "td");
		} else if ((rest = after(line, "plot")) != NULL) {
			plot_write(&plot);
			snprintf(plot.title, sizeof plot.title, "%.200s", rest);
		} else if ((rest = after(line, "mark")) != NULL) {
			mark_add(&plot, rest);
		} else if ((rest = after(line, "at")) != NULL) {
			point_add(&plot, rest);
		}
	}
	if (is_table)
		fputs("</table>\n", stdout);
	plot_write(&plot);
	return fflush(stdout) == 0 && !ferror(stdin) ? 0 : 1;
}
