// Writes static/img/icons.svg, the one file that every icon of the portal comes from, out of Tabler's icons.
// Add a name to the list, then: npm run icons
import { readFileSync, writeFileSync } from "node:fs";

const NAMES = `
adjustments adjustments-horizontal alert-circle alert-triangle api arrow-back-up arrow-down arrow-left arrow-right
arrow-up arrow-up-right arrows-exchange arrows-sort basket bell bolt box box-off brain building-factory building-store
building-warehouse bulb calendar calendar-event calendar-plus cash chart-area-line chart-bar chart-dots
chart-histogram chart-line check checklist chevron-down chevron-left chevron-right chevron-up circle-check circle-dot
circle-x clipboard-check clipboard-list clock coin copy cpu currency-dollar database device-desktop discount dots
dots-vertical download edit external-link eye eye-off file file-alert file-export file-import file-text
file-type-csv files filter filter-off flag flask git-compare help-circle history home hourglass infinity info-circle
key layers-intersect link list list-check loader lock login logout mail map-pin menu-2 message-circle minus moon
package packages pin player-pause player-play player-skip-forward player-stop plug-connected plus point printer
progress puzzle receipt recycle refresh report-analytics report-money robot rotate-clockwise route scale search send
settings shield-check shopping-cart shopping-cart-plus sort-ascending sort-descending sparkles stack-2 sun table tag
tags target-arrow trash trending-down trending-up trophy truck truck-delivery unlink upload user user-minus user-plus
users versions wand webhook world x zoom-question
`.trim().split(/\s+/);

const symbols = NAMES.map((name) => {
  const source = readFileSync(`node_modules/@tabler/icons/icons/outline/${name}.svg`, "utf8");
  const paths = [...source.matchAll(/<(?:path|circle|line|rect)[^>]*\/>/g)].map((match) => match[0])
    .filter((path) => !path.includes('d="M0 0h24v24H0z"'));
  return `<symbol id="${name}" viewBox="0 0 24 24">${paths.join("")}</symbol>`;
});
writeFileSync("static/img/icons.svg", "<!-- Tabler Icons, MIT licence, Copyright Paweł Kuna -->\n"
  + '<svg xmlns="http://www.w3.org/2000/svg" fill="none" stroke="currentColor" stroke-width="1.75" '
  + `stroke-linecap="round" stroke-linejoin="round">\n${symbols.join("\n")}\n</svg>\n`);
