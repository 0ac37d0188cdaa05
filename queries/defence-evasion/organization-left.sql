-- title: An account leaves the organization or loses its guardrails
-- answers: Who took an account out of the organization, or detached or deleted a service control policy?
-- severity: critical
-- outcomes: both
-- mitre: TA0005:T1562.001
-- tags: organizations
SELECT eventTime, recipientAccountId, eventName, element_at(requestParameters, 'accountId') AS account,
       element_at(requestParameters, 'policyId') AS policy, element_at(requestParameters, 'targetId') AS target,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'organizations.amazonaws.com'
  AND eventName IN ('LeaveOrganization', 'RemoveAccountFromOrganization', 'DetachPolicy', 'DeletePolicy', 'DisablePolicyType')
ORDER BY eventTime, eventID
