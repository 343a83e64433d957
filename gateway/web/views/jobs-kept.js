// The pictures of the jobs that this page has handed in, while it is open: thumbnails of answers need them, and the gateway does not give pictures back.

const kept = new Map(); // id of a job -> [{name, file}], in the order of its items

/** Remembers the files of a job. */
export const keep = (id, files) => kept.set(id, files);

/** The file of an item; null where this page does not have it. */
export const fileOf = (id, index) => kept.get(id)?.[index]?.file ?? null;
