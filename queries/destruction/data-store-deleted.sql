-- title: A file system, table or cluster deleted
-- answers: Which stores of data outside S3 and RDS were deleted?
-- severity: medium
-- outcomes: both
-- mitre: TA0040:T1485
-- tags: dynamodb, efs, eks
SELECT eventTime, recipientAccountId, awsRegion, eventSource, eventName,
       coalesce(element_at(requestParameters, 'tableName'), element_at(requestParameters, 'fileSystemId'),
                element_at(requestParameters, 'clusterIdentifier'), element_at(requestParameters, 'name'),
                element_at(requestParameters, 'domainName')) AS target,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE (eventSource, eventName) IN (('dynamodb.amazonaws.com', 'DeleteTable'),
                                   ('elasticfilesystem.amazonaws.com', 'DeleteFileSystem'),
                                   ('redshift.amazonaws.com', 'DeleteCluster'),
                                   ('eks.amazonaws.com', 'DeleteCluster'),
                                   ('es.amazonaws.com', 'DeleteElasticsearchDomain'))
ORDER BY eventTime, eventID
