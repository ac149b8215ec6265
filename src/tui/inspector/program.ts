/** The inspector as a program for the terminal part. */
import type { Program } from '../model/program.js';
import { screenOf } from './content.js';
import { reduce, resize, work } from './reduce.js';
import { type Inspector, type InspectorModel, openState } from './state.js';

export const inspectorProgram = (model: InspectorModel): Program<Inspector> => ({
  initial: (size) => openState(model, size),
  key: reduce,
  resize,
  screen: screenOf,
  work,
});
