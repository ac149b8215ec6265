/** Nodes of the decoded tree that several rules about KHO speak of. */
import type { TreeNode } from '../../tree/tree.js';
import type { Subject } from '../subject.js';

/** Everything of KHO itself; the handover's own node where there is none. */
export const khoNode = (subject: Subject): TreeNode => subject.handover.node.children().find((child) => child.name === 'kho') ?? subject.handover.node;

/** The root node of the root FDT. */
export const rootNode = (subject: Subject): TreeNode | undefined =>
  khoNode(subject)
    .children()
    .find((child) => child.name === '/');
