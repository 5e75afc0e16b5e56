/* A landscape made of a number: the same number is the same picture in every browser. */

const SVG = 'http://www.w3.org/2000/svg'
const WIDTH = 320
const HEIGHT = 180

function shape(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  element.append(...children)
  return element
}

// mulberry32: small, and good enough for hills.
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

function hill(next, base, height) {
  const waves = Array.from({ length: 3 }, (_, i) => [height / (i + 1), (i + 1) * (.6 + next()) * 2 / WIDTH, next() * 7])
  let path = `M0 ${HEIGHT}`
  for (let x = 0; x <= WIDTH; x += 8) {
    path += `L${x} ${(base - waves.reduce((sum, [size, pace, shift]) => sum + size * Math.sin(x * pace * 3 + shift), 0)).toFixed(1)}`
  }
  return `${path}L${WIDTH} ${HEIGHT}Z`
}

export function picture(seed, title) {
  const next = random(seed)
  const hue = Math.floor(next() * 360)
  const land = (hue + 120 + next() * 120) % 360
  const night = next() < .3
  const id = `sky-${seed}`
  const sky = shape('linearGradient', { id, x1: 0, y1: 0, x2: 0, y2: 1 },
    shape('stop', { offset: 0, 'stop-color': `hsl(${hue} 60% ${night ? 14 : 62}%)` }),
    shape('stop', { offset: 1, 'stop-color': `hsl(${(hue + 40) % 360} 75% ${night ? 36 : 86}%)` }))
  const drawn = [shape('defs', {}, sky), shape('rect', { width: WIDTH, height: HEIGHT, fill: `url(#${id})` })]
  for (let star = 0; night && star < 40; star++) {
    drawn.push(shape('circle', { cx: next() * WIDTH, cy: next() * HEIGHT * .6, r: .4 + next() * .7, fill: '#fff', opacity: .4 + next() * .6 }))
  }
  drawn.push(shape('circle', { cx: 50 + next() * 220, cy: 35 + next() * 50, r: 14 + next() * 12, fill: night ? '#f5f1da' : '#fff6d5' }))
  for (let layer = 0; layer < 4; layer++) {
    const light = (night ? 26 : 58) - layer * (night ? 5 : 10)
    drawn.push(shape('path', { d: hill(next, 95 + layer * 24, 14 - layer * 2), fill: `hsl(${land} ${30 + layer * 5}% ${light}%)` }))
  }
  return shape('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': title, class: 'picture' }, ...drawn)
}
