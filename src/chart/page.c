/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page: what the stories agree and differ on, then their charts, phase beside phase. One file
 * that asks for nothing else; without script all is still readable, in the browser's own tooltips.
 */
#include <errno.h>
#include <stdlib.h>

#include "chart/chart.h"
#include "chart/story.h"

#define PITCH_ONE 62u			/* pixels a lane takes */
#define PITCH_MANY 46u

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width\">\n<title>";
static const char style[] =
	"</title>\n<style>\n"
	":root{--ink:#1c2430;--soft:#4d5766;--line:#cfd5dd;--bar:#eef2f7;--no:#b3261e;--up:#7a4bb5;"
	"--state:#0a7a4b;--hover:#fff3c9;--mark:#fde8c8;--miss:#e4ecf7}\n"
	"body{font:14px/1.45 system-ui,sans-serif;color:var(--ink);margin:24px;padding-bottom:11em}\n"
	"h1{font-size:20px;margin:0 0 4px}h2{font-size:15px;margin:20px 0 4px}"
	"p{margin:4px 0;color:var(--soft)}\n"
	"table{border-collapse:collapse;font-size:13px}th,td{text-align:left;padding:2px 12px 2px 6px;"
	"border-bottom:1px solid var(--line);vertical-align:top}\n"
	"tr.phase th{background:var(--bar)}tr.order td{background:var(--mark)}"
	"tr.missing td{background:var(--miss)}td small{color:var(--soft)}\n"
	".key{padding:1px 6px;color:var(--ink)}.key.order{background:var(--mark)}"
	".key.missing{background:var(--miss)}tr.apart th{font-style:italic}\n"
	".wide,.row,.legend{overflow-x:auto}"
	".row{display:flex;gap:28px}.row>div{flex:none}h3{font-size:13px;margin:6px 0 0}\n"
	"svg{display:block;font:11px ui-monospace,monospace;overflow:visible}"
	"svg text{fill:var(--ink)}\n"
	"svg path{stroke:#31506f;stroke-width:1.2;fill:none}svg path.lane{stroke:var(--line)}\n"
	"svg text.lane{font-weight:600;text-anchor:middle;font-size:10px}"
	"svg text.again{fill:var(--soft);font-style:italic}\n"
	".s rect{fill:var(--bar)}.s text{font-weight:600}.s.bad rect{fill:#f9d5d2}\n"
	".e rect{fill:transparent}.e:hover rect,.e:focus rect{fill:var(--hover)}.e:focus{outline:none}"
	".e:focus rect{stroke:#31506f}\n"
	".e circle{fill:var(--state)}.e.note circle{fill:#fff;stroke:var(--soft)}"
	".e.event path{stroke:var(--up);stroke-dasharray:4 3}\n"
	".e.no path{stroke:var(--no)}.e.no text{fill:var(--no)}\n"
	"#facts{position:fixed;left:0;right:0;bottom:0;max-height:10em;overflow:auto;margin:0;"
	"padding:8px 24px;background:#fffdf4;border-top:1px solid var(--line);white-space:pre-wrap;"
	"font:12px ui-monospace,monospace;columns:3}\n"
	".bad{color:var(--no)}.legend{white-space:pre-wrap;font:12px ui-monospace,monospace}\n"
	"@media(max-width:800px){body{margin:10px}#facts{columns:1;padding:8px 10px}}\n"
	"@page{size:landscape;margin:10mm}@media print{#facts{display:none}"
	"body{margin:0;padding:0;font-size:10px}.wide,.row,.legend{overflow:visible}"
	".row{break-inside:auto}h2{break-after:avoid}.row>div{zoom:.5}tr{break-inside:avoid}"
	"*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}\n"
	"</style></head><body>\n"
	"<svg width=\"0\" height=\"0\" style=\"position:absolute\"><defs><marker id=\"a\" "
	"viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" "
	"orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" style=\"fill:context-stroke;stroke:none\"/>"
	"</marker></defs></svg>\n";
static const char script[] =
	"<pre id=\"facts\" aria-live=\"polite\">Point at an arrow, or tab to it.</pre>\n<script>\n"
	"const facts=document.getElementById('facts');\n"
	"function tell(event){const g=event.target.closest('.e');if(!g)return;\n"
	"const t=g.querySelector('title');if(t){g.dataset.facts=t.textContent;t.remove();}\n"
	"facts.textContent=g.dataset.facts;}\n"
	"addEventListener('mouseover',tell);addEventListener('focusin',tell);\n"
	"</script>\n</body></html>\n";

static void page_verdict(FILE *out, const struct story *story)
{
	fputs("<p><b>", out);
	story_escape(out, story->label);
	fputs("</b> ", out);
	story_escape(out, story->title);
	fprintf(out, ": %u steps, %u of %u invariants hold, %.1f ms. ", story->step_count,
		story->held, story->invariants, story->seconds * 1e3);
	fputs(story->ok ? "Ended as written." : "<span class=\"bad\">Not as written: ", out);
	if (!story->ok) {
		story_escape(out, story->failure);
		fputs("</span>", out);
	}
	fputs("</p>\n", out);
	for (unsigned int i = 0; i < story->violations && i < STORY_VIOLATIONS; i++) {
		const struct story_violation *violation = &story->violation[i];

		fprintf(out, "<p class=\"bad\">%s violated in step %u: ", violation->id,
			violation->step);
		story_escape(out, violation->why);
		fputs("</p>\n", out);
	}
}

static void page_row(FILE *out, const struct compare_row *row, unsigned int count)
{
	static const char *const classes[] = { "same", "order", "missing" };

	fprintf(out, "<tr class=\"%s\"><td>", classes[row->mark]);
	story_escape(out, row->name);
	for (unsigned int i = 0; i < count; i++) {
		const struct compare_cell *cell = &row->cell[i];

		fputs("</td><td>", out);
		if (!cell->event)
			continue;
		fprintf(out, "<small>%u</small> ", cell->event->step);
		story_escape(out, cell->event->name);
		if (cell->count > 1)
			fprintf(out, " <small>x%u</small>", cell->count);
	}
	fputs("</td></tr>\n", out);
}

static void page_table(FILE *out, const struct story *stories, unsigned int count,
		       const struct comparison *all)
{
	char title[128];

	fputs("<h2>What they share and where they differ</h2>\n"
	      "<p>A cell: the step, and what the call is named there. "
	      "<span class=\"key order\">all have it, but in another order</span> "
	      "<span class=\"key missing\">not all have it</span></p>\n"
	      "<div class=\"wide\"><table><thead><tr><th></th>", out);
	for (unsigned int i = 0; i < count; i++) {
		fputs("<th scope=\"col\">", out);
		story_escape(out, stories[i].label);
		fputs("</th>", out);
	}
	fputs("</tr></thead>\n", out);
	for (unsigned int i = 0; i < all->row_count; i++) {
		const struct compare_section *section = all->rows[i].section;

		if (!i || section != all->rows[i - 1].section) {
			compare_section_title(section, stories, count, title, sizeof(title));
			fprintf(out, "<tr class=\"phase%s\"><th colspan=\"%u\">",
				section->all ? "" : " apart", count + 1);
			story_escape(out, title);
			fputs("</th></tr>\n", out);
		}
		page_row(out, &all->rows[i], count);
	}
	fputs("</table></div>\n", out);
}

/* A story without the phase has its lanes all the same: the others stay in their columns. */
static int page_section(FILE *out, const struct story *stories, unsigned int count,
			const struct compare_section *section)
{
	unsigned int pitch = count > 1 ? PITCH_MANY : PITCH_ONE;
	char title[128];
	int rc = 0;

	compare_section_title(section, stories, count, title, sizeof(title));
	fputs("<h2>", out);
	story_escape(out, title);
	fputs("</h2>\n<div class=\"row\">", out);
	for (unsigned int i = 0; i < count && !rc; i++) {
		fputs("<div>", out);
		if (count > 1) {
			fputs("<h3>", out);
			story_escape(out, stories[i].label);
			fputs("</h3>", out);
		}
		rc = story_svg(out, &stories[i], section->first[i], section->last[i], pitch);
		fputs("</div>", out);
	}
	fputs("</div>\n", out);
	return rc;
}

int story_page(FILE *out, const struct story *stories, unsigned int count, enum compare_view view)
{
	struct comparison all;
	int rc = compare_stories(stories, count, view, &all);

	if (rc)
		return rc;
	fputs(head, out);
	story_escape(out, count == 1 ? stories[0].title : "swtio: side by side");
	fputs(style, out);
	fputs("<h1>", out);
	story_escape(out, count == 1 ? stories[0].title : "Side by side");
	fputs("</h1>\n", out);
	for (unsigned int i = 0; i < count; i++)
		page_verdict(out, &stories[i]);
	fputs("<p class=\"legend\">", out);
	for (unsigned int i = 0; chart_legend(i); i++) {
		story_escape(out, chart_legend(i));
		fputc('\n', out);
	}
	fputs("</p>\n", out);
	if (count > 1)
		page_table(out, stories, count, &all);
	for (unsigned int i = 0; i < all.section_count && !rc; i++)
		rc = page_section(out, stories, count, &all.sections[i]);
	comparison_free(&all);
	fputs(script, out);
	return rc ? rc : ferror(out) ? -EIO : 0;
}
