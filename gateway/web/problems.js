// Problems in words: what has happened, and what can be done about it.

const words = {
  invalid_image: ['The picture cannot be read', 'Give another picture.'],
  invalid_row: ['The row does not fit the model', 'Mend the marked fields.'],
  invalid_request: ['The gateway does not understand this'],
  image_too_large: ['The picture is too large to decode'],
  body_too_large: ['The picture is too large to send', 'Make it smaller, or raise limits.body of the gateway.'],
  unsupported_media_type: ['This kind of file is not taken'],
  model_not_found: ['There is no such model'],
  version_not_found: ['There is no such version'],
  rate_limited: ['Too many requests', 'Wait a moment, then try again.'],
  queue_full: ['The gateway has too much to do', 'Wait a moment, then try again.'],
  deadline_exceeded: ['The answer took too long', 'Try again; where that does not help, hand the picture in as a job.'],
  backend_unavailable: ['No model can be asked at the moment'],
  draining: ['The gateway is shutting down'],
  upstream_error: ['The model has failed', 'Try another input; the gateway\'s log has the reason.'],
  upstream_contract: ['The model and its description do not fit', 'Its task.yaml has to be mended.'],
  unauthenticated: ['A key is needed'],
  forbidden: ['The key does not allow this'],
};

/** The gateway's details begin small and end without a full stop, as log lines do. */
const sentence = (text) => (text ? text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? '' : '.') : '');

/** A problem as {title, said, hint, details, notes}: all texts, details a list. */
export function inWords(problem) {
  const [title, hint = ''] = words[problem.code] || [problem.title || 'This did not work'];
  const said = problem.detail || problem.message || '';
  return {
    title,
    said: said === title ? '' : problem.code ? sentence(said) : said,
    hint: said.includes(hint) ? '' : hint,
    details: (problem.places || []).filter((p) => !said.includes(p.message)).map((p) => `${p.location}: ${p.message}`),
    notes: [problem.code, problem.requestId && `request ${problem.requestId}`].filter(Boolean).join(', '),
  };
}
