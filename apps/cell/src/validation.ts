// SPDX-License-Identifier: Apache-2.0
// Checks requests against their schemas. Path and query arrive as text: what is right as it stands, and
// almost all is, is not converted first.
import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import { Compile } from 'typebox/compile';

type Compiler = typeof TypeBoxValidatorCompiler;

/** Fastify's validator compiler of both listeners. */
export const compileValidator: Compiler = (route) => {
  const validate = TypeBoxValidatorCompiler(route);
  if (route.httpPart === 'body') return validate;
  const checked = Compile(route.schema);
  return (value: unknown) => (checked.Check(value) ? { value } : validate(value));
};
