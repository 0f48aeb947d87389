// A classic script at the head of every page, so that a page never flashes in the other theme. What was chosen stands until it is chosen again.
{
  const chosen = localStorage.getItem('countersign-theme');
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset['theme'] = chosen;
}
