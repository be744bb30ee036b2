import test from 'ava';
import { explainConformance } from './explain.ts';

explainConformance(test, 'plain');
