// Keeps the page as the server sees it: what the server sends is the page's own HTML, put in place of what has changed, so that
// focus, selection and scrolling stay. Plots are drawn here, from what has been seen since the page was opened.
'use strict';

const POINTS = 120; // of a plot at the most, one a second
const FEWEST = 30; // that a plot has room for
const SERIES = 1000; // that are remembered
const AGAIN = 5000; // ms until a refused stream is asked for again

const main = document.getElementById('main');
const live = document.getElementById('live');
const told = document.getElementById('told');
const seen = new Map();
let events;
let later;

function say(state, text) {
  // A screen reader would read the same again.
  if (live.textContent !== text) live.textContent = text;
  live.dataset.state = state;
}

function tell(text) {
  told.textContent = text;
  told.hidden = false;
}

function parse(html) {
  const template = document.createElement('template');
  template.innerHTML = html;
  return template.content;
}

function morph(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  if (!old.dataset.plot) morphChildren(old, fresh);
}

function alike(old, fresh) {
  return old.nodeName === fresh.nodeName && (old.dataset?.key ?? '') === (fresh.dataset?.key ?? '');
}

// What stands for `wanted` so far: the one with its key, or the next one like it that has none.
function counterpart(keyed, place, wanted) {
  const key = wanted.dataset?.key;
  let found = key ? keyed.get(key) : place;
  while (!key && found && !alike(found, wanted)) found = found.nextSibling;
  return found && alike(found, wanted) ? found : null;
}

function morphChildren(old, fresh) {
  const keyed = new Map();
  for (const child of old.children) {
    if (child.dataset.key) keyed.set(child.dataset.key, child);
  }
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const found = counterpart(keyed, place, wanted);
    if (!found) {
      old.insertBefore(wanted, place);
      continue;
    }
    if (found === place) place = place.nextSibling;
    else old.insertBefore(found, place);
    keyed.delete(wanted.dataset?.key);
    morph(found, wanted);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function show(html) {
  const focused = document.activeElement;
  morphChildren(main, parse(html));
  if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true });
  plot();
  const alarms = main.querySelector('#alarms .count').textContent;
  document.title = alarms === '0' ? 'Lineshaft' : `(${alarms}) Lineshaft`;
}

function plot() {
  for (const place of main.querySelectorAll('[data-plot]')) {
    const name = place.dataset.plot;
    const series = seen.get(name) ?? [];
    series.push(Number(place.dataset.value));
    if (series.length > POINTS) series.shift();
    // The last ones that were shown are remembered the longest.
    seen.delete(name);
    seen.set(name, series);
    draw(place, series);
  }
  for (const name of seen.keys()) {
    if (seen.size <= SERIES) break;
    seen.delete(name);
  }
}

function draw(place, series) {
  let svg = place.firstElementChild;
  if (!svg) {
    const make = (tag) => document.createElementNS('http://www.w3.org/2000/svg', tag);
    svg = make('svg');
    svg.setAttribute('viewBox', '0 0 100 100');
    svg.setAttribute('preserveAspectRatio', 'none');
    svg.append(make('polygon'), make('polyline'));
    place.append(svg);
  }
  const top = Math.max(1, ...series);
  const step = 100 / (Math.max(FEWEST, series.length) - 1);
  const x = (at) => (100 - step * (series.length - 1 - at)).toFixed(2);
  const points = series.map((value, at) => `${x(at)},${(100 - (95 * value) / top).toFixed(1)}`);
  const [area, line] = svg.children;
  line.setAttribute('points', points.join(' '));
  area.setAttribute('points', `${x(0)},100 ${points.join(' ')} 100,100`);
}

function open() {
  close();
  events = new EventSource('/events' + location.search);
  events.addEventListener('main', (event) => {
    show(event.data);
    say('live', 'Live');
  });
  events.onerror = () => {
    say('lost', 'Not live: no answer from the server; trying again');
    // It tries again by itself unless it was refused.
    if (events.readyState === EventSource.CLOSED) later = setTimeout(open, AGAIN);
  };
}

function close() {
  clearTimeout(later);
  events?.close();
}

function go(address) {
  history.pushState(null, '', address);
  told.hidden = true;
  open();
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

document.addEventListener('click', (event) => {
  const link = event.target.closest?.('main a[href^="?"]');
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(link.getAttribute('href'));
});

async function cancel(form) {
  const job = form.dataset.cancel;
  if (!confirm(`Cancel job ${job}?`)) return;
  let text = `Job ${job} is cancelled.`;
  try {
    const answer = await fetch(form.action, { method: 'POST', body: new URLSearchParams(new FormData(form)) });
    if (!answer.ok) text = (await answer.json()).error.message;
    else if (new URL(answer.url).searchParams.get('notice') === 'gone') text = `Job ${job} had ended already.`;
  } catch {
    text = `Job ${job}: no answer from the server.`;
  }
  tell(text);
  open();
}

document.addEventListener('submit', (event) => {
  const form = event.target;
  if (form.dataset.cancel) {
    event.preventDefault();
    cancel(form);
  } else if (form.getAttribute('role') === 'search') {
    event.preventDefault();
    go('?' + new URLSearchParams(new FormData(form)));
  }
});

window.addEventListener('popstate', open);
// Nobody looks at a page that is hidden.
document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()));
document.documentElement.classList.add('live');
plot();
open();
