import test from 'ava';
import { frontDoorConformance } from './front-door.ts';

frontDoorConformance(test, 'plain');
