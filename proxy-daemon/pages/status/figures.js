// Numbers as people read them, and their lines.
import { h } from './tree.js';

export function ago(at, now) {
  const seconds = Math.max(0, Math.round((now - at) / 1000));
  if (seconds < 90) return `${seconds} s ago`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min ago`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h ago` : `${Math.round(hours / 24)} days ago`;
}

export function percent(share) {
  const value = share * 100;
  return `${value > 0 && value < 0.1 ? '< 0.1' : Number(value.toFixed(1))} %`;
}

export function perSecond(rate) {
  if (rate >= 1000) return `${(rate / 1000).toFixed(1)} k/s`;
  if (rate > 0 && rate < 0.1) return '< 0.1 /s';
  return `${rate >= 10 ? Math.round(rate) : Number(rate.toFixed(1))} /s`;
}

/** Latencies are known by the bucket that they are in: this is its upper bound. */
export function milliseconds(bound) {
  if (bound === undefined || bound === null) return '–';
  if (bound < 0) return '> 10 s';
  return bound >= 1000 ? `≤ ${bound / 1000} s` : `≤ ${bound} ms`;
}

export function span(ms) {
  return ms >= 1000 ? `${Number((ms / 1000).toFixed(1))} s` : `${ms} ms`;
}

export function bytes(count) {
  const units = ['bytes', 'KiB', 'MiB', 'GiB'];
  const at = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, count)) / 10));
  return `${Number((count / 1024 ** at).toFixed(1))} ${units[at]}`;
}

export function clockTime(at) {
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

const width = 120;
const height = 26;

/** A line of rates, the newest at the right; `label` says it in words. */
export function sparkline(rates, label, wide = false) {
  const most = Math.max(...rates, 0);
  const step = width / Math.max(1, rates.length - 1);
  const y = (rate) => (height - 2 - (most === 0 ? 0 : (rate / most) * (height - 4))).toFixed(1);
  const points = rates.map((rate, at) => `${(at * step).toFixed(1)} ${y(rate)}`).join(' L');
  const line = rates.length > 1 ? `M${points}` : `M0 ${height - 2} L${width} ${height - 2}`;
  return h(
    'svg',
    {
      class: wide ? 'spark wide' : 'spark',
      viewBox: `0 0 ${width} ${height}`,
      preserveAspectRatio: 'none',
      role: 'img',
      'aria-label': label,
    },
    h('path', { class: 'area', d: `${line} L${width} ${height} L0 ${height} Z` }),
    h('path', { class: 'line', d: line }),
  );
}

/** Shares of versions beside each other. */
export function shareBar(parts) {
  let reached = 0;
  const rects = parts.map(({ share }, at) => {
    const x = reached;
    reached += share * 100;
    return h('rect', { class: `part${at % 4}`, x: x.toFixed(2), y: 0, width: (share * 100).toFixed(2), height: 4 });
  });
  return h(
    'svg',
    {
      class: 'shares',
      viewBox: '0 0 100 4',
      preserveAspectRatio: 'none',
      role: 'img',
      'aria-label': parts.map(({ version, share }) => `${version} ${percent(share)}`).join(', '),
    },
    rects,
  );
}
