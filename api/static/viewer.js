// Zoom, pan and brightness of the images. They act on the view only: the bytes stay as captured.
const LEVELS = 4;

export function wireViewer(root) {
  if (!root || !root.querySelector(".frame")) return null;
  const radios = [...root.querySelectorAll('input[name="image"]')];
  const figures = [...root.querySelectorAll("figure")];
  const badge = root.querySelector("[data-badge]");
  const original = badge.textContent;
  const views = figures.map((figure) => remembered(figure.dataset.role));

  const current = () => Math.max(0, radios.findIndex((radio) => radio.checked));

  function draw(index) {
    const view = views[index];
    const image = figures[index].querySelector("img");
    image.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
    for (let level = 1; level < LEVELS; level += 1) {
      figures[index].querySelector(".frame").classList.toggle(`bright-${level}`, view.light === level);
    }
    const changed = view.scale !== 1 || view.x !== 0 || view.y !== 0 || view.light !== 0;
    badge.textContent = changed ? badge.dataset.changed : original;
    badge.classList.toggle("changed", changed);
    sessionStorage.setItem(`view-${figures[index].dataset.role}`, JSON.stringify(view));
  }

  function zoom(factor) {
    const view = views[current()];
    view.scale = Math.min(12, Math.max(1, view.scale * factor));
    if (view.scale === 1) { view.x = 0; view.y = 0; }
    draw(current());
  }

  function move(dx, dy) {
    const view = views[current()];
    view.x += dx;
    view.y += dy;
    draw(current());
  }

  const actions = {
    in: () => zoom(1.4),
    out: () => zoom(1 / 1.4),
    whole: () => { Object.assign(views[current()], { scale: 1, x: 0, y: 0 }); draw(current()); },
    light: () => { const view = views[current()]; view.light = (view.light + 1) % LEVELS; draw(current()); },
    left: () => move(60, 0),
    right: () => move(-60, 0),
    up: () => move(0, 60),
    down: () => move(0, -60),
    step: (by) => {
      const next = radios[(current() + by + radios.length) % radios.length];
      next.checked = true;
      next.dispatchEvent(new Event("change", { bubbles: true }));
    },
  };

  root.addEventListener("click", (event) => {
    const action = event.target.closest("[data-view]")?.dataset.view;
    if (action) actions[action]();
  });
  root.addEventListener("change", () => draw(current()));
  figures.forEach((figure) => wireDragging(figure, () => views[current()], move, zoom));
  draw(current());
  return actions;
}

function remembered(role) {
  const whole = { scale: 1, x: 0, y: 0, light: 0 };
  try {
    return { ...whole, ...JSON.parse(sessionStorage.getItem(`view-${role}`) ?? "{}") };
  } catch (error) {
    if (error instanceof SyntaxError) return whole;
    throw error;
  }
}

function wireDragging(figure, view, move, zoom) {
  const frame = figure.querySelector(".frame");
  const image = figure.querySelector("img");
  frame.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15);
  }, { passive: false });
  frame.addEventListener("pointerdown", (event) => {
    if (view().scale === 1) return;
    frame.setPointerCapture(event.pointerId);
    image.classList.add("dragged");
  });
  frame.addEventListener("pointermove", (event) => {
    if (frame.hasPointerCapture(event.pointerId)) move(event.movementX, event.movementY);
  });
  frame.addEventListener("pointerup", () => image.classList.remove("dragged"));
}
