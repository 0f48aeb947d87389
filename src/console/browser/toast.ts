/** A word that comes and goes: of what was done, never of what must be read. */
const STAY_MS = 6_000;

export function toast(text: string): void {
  const place = document.getElementById('toasts');
  if (!place) return;
  const said = document.createElement('p');
  said.textContent = text;
  place.append(said);
  setTimeout(() => said.remove(), STAY_MS);
}
