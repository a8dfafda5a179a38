/** Making elements: a small function in place of a framework, and what several parts of the page use. */
import { icons } from './icons.js';

/**
 * An element with properties, attributes, listeners and children.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [props] `class`, `data`, `on` (listeners by event) and anything else: a property
 *   where the element has one of that name, else an attribute; undefined, null and false attributes are left out
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name === 'class') element.className = value;
    else if (name === 'data') Object.assign(element.dataset, value);
    else if (name === 'on') for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name.includes('-') || name === 'role' || name === 'for') setAttribute(element, name, value);
    else if (name in element) /** @type {any} */ (element)[name] = value;
    else setAttribute(element, name, value);
  }
  for (const child of children) if (child !== null && child !== undefined && child !== false) element.append(child);
  return element;
}

/** @param {Element} element @param {string} name @param {any} value */
function setAttribute(element, name, value) {
  if (value === false && !name.startsWith('aria-')) element.removeAttribute(name);
  else element.setAttribute(name, value === true && !name.startsWith('aria-') ? '' : String(value));
}

const SVG = 'http://www.w3.org/2000/svg';

/** @param {keyof typeof icons} name @returns {SVGSVGElement} decorative: hidden from readers */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  for (const [key, value] of Object.entries({ viewBox: '0 0 24 24', class: 'icon', 'aria-hidden': 'true' })) {
    svg.setAttribute(key, value);
  }
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', icons[name]);
  svg.append(path);
  return svg;
}

/**
 * A button with an icon; the label is its accessible name and its tooltip.
 * @param {keyof typeof icons} name
 * @param {string} label
 * @param {(event: MouseEvent) => void} click
 * @param {Record<string, any>} [props]
 */
export function iconButton(name, label, click, props = {}) {
  return h('button', { type: 'button', class: 'icon-button', 'aria-label': label, title: label, on: { click }, ...props }, icon(name));
}

/**
 * Radio buttons drawn as one bar.
 * @template {string} T
 * @param {{label: string, name: string, options: {value: T, text: string, icon?: keyof typeof icons}[], value: T,
 *   change: (value: T) => void, hideLabel?: boolean}} how
 */
export function segmented({ label, name, options, value, change, hideLabel }) {
  return h(
    'fieldset',
    { class: 'segmented' },
    h('legend', { class: hideLabel ? 'visually-hidden' : '' }, label),
    h(
      'div',
      { class: 'segments' },
      ...options.map((option) =>
        h(
          'label',
          { title: option.icon ? option.text : undefined },
          h('input', { type: 'radio', name, value: option.value, checked: option.value === value, on: { change: () => change(option.value) } }),
          h('span', { class: 'segment' }, option.icon ? icon(option.icon) : null, h('span', { class: option.icon ? 'visually-hidden' : '' }, option.text)),
        ),
      ),
    ),
  );
}

/**
 * A labelled range with its value beside it.
 * @param {{label: string, min: number, max: number, step: number, value: number, show: (value: number) => string,
 *   input: (value: number) => void, change?: (value: number) => void, hint?: string}} how
 */
export function slider({ label, min, max, step, value, show, input, change, hint }) {
  const output = h('output', {}, show(value));
  const range = h('input', {
    type: 'range',
    min: String(min),
    max: String(max),
    step: String(step),
    // A label names the first element in it that can have one, which is the output.
    'aria-label': label,
    'aria-valuetext': show(value),
    on: {
      input: () => {
        update();
        input(Number(range.value));
      },
      change: () => change?.(Number(range.value)),
    },
  });
  range.value = String(value);
  const update = () => {
    output.value = show(Number(range.value));
    range.setAttribute('aria-valuetext', output.value);
    // Filled from zero, which lies in the middle where values have a sign.
    const at = (100 * (Number(range.value) - min)) / (max - min);
    const zero = (100 * (Math.max(0, min) - min)) / (max - min);
    range.style.setProperty('--from', `${Math.min(at, zero)}%`);
    range.style.setProperty('--share', `${Math.max(at, zero)}%`);
  };
  update();
  return h('label', { class: 'slider', title: hint }, h('span', { class: 'slider-label' }, label), output, range);
}

/**
 * @param {{label: string, options: {value: string, text: string, disabled?: boolean, group?: string}[], value: string,
 *   change: (value: string) => void, hideLabel?: boolean, disabled?: boolean, id?: string}} how
 */
export function choice({ label, options, value, change, hideLabel, disabled, id }) {
  const select = h('select', { id, disabled: disabled ?? false, on: { change: () => change(select.value) } });
  /** @type {Map<string, HTMLElement>} */
  const groups = new Map();
  for (const option of options) {
    const item = h('option', { value: option.value, disabled: option.disabled ?? false }, option.text);
    if (!option.group) select.append(item);
    else {
      let group = groups.get(option.group);
      if (!group) groups.set(option.group, (group = h('optgroup', { label: option.group })));
      group.append(item);
      select.append(group);
    }
  }
  select.value = value;
  return h('label', { class: 'field' }, h('span', { class: hideLabel ? 'visually-hidden' : 'field-label' }, label), select);
}

/** @param {{label: string, checked: boolean, change: (checked: boolean) => void, hint?: string, disabled?: boolean}} how */
export function toggle({ label, checked, change, hint, disabled }) {
  const box = h('input', { type: 'checkbox', role: 'switch', checked, disabled: disabled ?? false, on: { change: () => change(box.checked) } });
  return h('label', { class: 'toggle' }, h('span', {}, label, hint ? h('small', {}, hint) : null), box);
}

/**
 * Replace an element's children, keeping the focus on what has the same `data-key` or name.
 * @param {Element} element @param {...(Node | string | null | undefined | false)} children
 */
export function fill(element, ...children) {
  const active = document.activeElement;
  const inside = active instanceof HTMLElement && element.contains(active);
  const order = inside ? focusable(element).indexOf(active) : -1;
  element.replaceChildren(.../** @type {Node[]} */ (children.filter((child) => child !== null && child !== undefined && child !== false)));
  if (inside && !element.contains(document.activeElement)) focusable(element)[order]?.focus();
}

/** @param {Element} element @returns {HTMLElement[]} */
function focusable(element) {
  return /** @type {HTMLElement[]} */ ([...element.querySelectorAll('button, input, select, textarea, a[href], summary, [tabindex]')]);
}
