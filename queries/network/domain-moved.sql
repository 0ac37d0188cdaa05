-- title: A domain unlocked or moved away
-- answers: Which domain names were unlocked for transfer or given to another account?
-- severity: high
-- outcomes: both
-- mitre: TA0042:T1584.001, TA0040:T1531
-- tags: route53
SELECT eventTime, recipientAccountId, eventName, element_at(requestParameters, 'domainName') AS domain,
       element_at(requestParameters, 'accountId') AS receiver, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'route53domains.amazonaws.com'
  AND eventName IN ('TransferDomainToAnotherAwsAccount', 'DisableDomainTransferLock', 'DeleteDomain')
ORDER BY eventTime, eventID
