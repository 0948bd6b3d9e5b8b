// Reads an array of [principal, action, resource, context, identity policies, resource policy] and prints the evaluator's decision
// for each.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const { runSimulation } = createRequire(process.argv[2] + '/')('@cloud-copilot/iam-simulate')
const answers = []
for (const [principal, action, resource, context, identity, own] of JSON.parse(readFileSync(0))) {
  const response = await runSimulation({
    request: { principal, action, resource: { resource, accountId: '123456789012' }, contextVariables: context },
    identityPolicies: identity.map((policy, n) => ({ name: `p${n}`, policy })),
    serviceControlPolicies: [],
    resourceControlPolicies: [],
    ...(own ? { resourcePolicy: own } : {})
  }, {})
  answers.push(response.resultType === 'error' ? JSON.stringify(response.errors) : response.overallResult)
}
console.log(JSON.stringify(answers))
