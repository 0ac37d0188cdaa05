-- title: A database snapshot shared
-- answers: Which RDS snapshots may other accounts, or everyone, restore?
-- severity: high
-- outcomes: both
-- mitre: TA0010:T1537
-- tags: rds, snapshots
SELECT eventTime, recipientAccountId, awsRegion, eventName,
       coalesce(element_at(requestParameters, 'dBSnapshotIdentifier'),
                element_at(requestParameters, 'dBClusterSnapshotIdentifier')) AS snapshot,
       element_at(requestParameters, 'valuesToAdd') AS receivers, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'rds.amazonaws.com'
  AND eventName IN ('ModifyDBSnapshotAttribute', 'ModifyDBClusterSnapshotAttribute')
  AND element_at(requestParameters, 'attributeName') = 'restore'
  AND json_array_length(element_at(requestParameters, 'valuesToAdd')) > 0
ORDER BY eventTime, eventID
