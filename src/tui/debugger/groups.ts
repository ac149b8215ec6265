/** Headings of the debugger's help. */
export const TIME = 'Time';
export const STOPS = 'Breakpoints, marks, edits';
export const LOOK = 'Look';
