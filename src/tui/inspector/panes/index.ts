/** The panes of the inspector, in the order of their numbers: one that is missing is a type error. */
import type { Pane } from '../../model/view.js';
import type { PaneId } from '../layout.js';
import type { Inspector } from '../state.js';
import { bytesPane } from './bytes.js';
import { detailPane } from './detail.js';
import { findingsPane } from './findings.js';
import { logPane } from './log.js';
import { mapPane } from './map.js';
import { objectsPane } from './objects.js';
import { sessionsPane } from './sessions.js';
import { snapshotsPane } from './snapshots.js';
import { treePane } from './tree.js';

export const INSPECTOR_PANES: Readonly<Record<PaneId, Pane<Inspector, PaneId>>> = {
  tree: treePane,
  detail: detailPane,
  hex: bytesPane,
  findings: findingsPane,
  sessions: sessionsPane,
  map: mapPane,
  log: logPane,
  objects: objectsPane,
  snapshots: snapshotsPane,
};
